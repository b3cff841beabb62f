"""Training while the tracking server hangs, compared with training without tracking."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.servers import bad_server

from benchmarks.report import as_command, report, spread
from experiments import journal

REPEATS, EPOCHS = 2, 40
PROJECT = Path(__file__).parent.parent


def epochs(tracking: str) -> tuple[list[float], float]:
    """Return the seconds of each epoch of a new run, and of its whole process."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        subprocess.run(
            (
                *(sys.executable, str(PROJECT / "train.py"), tracking),
                *(f"trainer.epochs={EPOCHS}", f"outputs={folder}"),
            ),
            cwd=folder,
            check=True,
            capture_output=True,
        )
        whole = time.perf_counter() - began
        (run,) = (path.parent for path in Path(folder).glob(f"*/*/{journal.NAME}"))
        points = journal.history(run).points
        return [points["epoch_seconds", epoch] for epoch in range(1, EPOCHS + 1)], whole


def main() -> None:
    """Measure in turns and report."""
    seconds: dict[str, list[float]] = {"without tracking": [], "the server hangs": []}
    wholes: dict[str, list[float]] = {name: [] for name in seconds}
    with bad_server(None) as address:
        for _ in range(REPEATS):
            for name, tracking in zip(
                seconds, ("tracking=none", f"tracking.uri={address}"), strict=True
            ):
                taken, whole = epochs(tracking)
                seconds[name] += taken[1:]  # the first epoch warms up
                wholes[name].append(whole)
    base = statistics.median(seconds["without tracking"])
    rows = [
        [
            name,
            spread(taken),
            f"{100 * (statistics.median(taken) / base - 1):+.1f} %",
            spread(wholes[name], "{:.1f}"),
        ]
        for name, taken in seconds.items()
    ]
    header = ("tracking", "an epoch, s", "slower by", f"the whole process, {EPOCHS} epochs, s")
    report("outage", "Training while the tracking server hangs, MNIST", header, rows)


if __name__ == "__main__":
    as_command(main, __doc__)
