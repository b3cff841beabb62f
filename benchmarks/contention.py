"""An epoch beside two busy processes, with libgomp's default spin count and with ours."""

from __future__ import annotations

import os
import subprocess
import sys

from benchmarks.process import PROJECT
from benchmarks.report import as_command, report, spread

BATCHES, REPEATS = 94, 5  # a tenth of an epoch: with libgomp's default a whole one takes too long
BUSY = "while True: sum(range(1_000_000))"
TIMED = f"""
from benchmarks.training import epoch_seconds, trained
told = trained("trainer.epochs={REPEATS + 1}", "trainer.limit_batches={BATCHES}")
print(*epoch_seconds(told)[1:])
"""


def epochs(spin_count: str) -> list[float]:
    """Time tenths of an epoch in a process of its own; return the seconds per whole epoch."""
    environment = os.environ | {"GOMP_SPINCOUNT": spin_count}
    done = subprocess.run(
        (sys.executable, "-c", TIMED),
        cwd=PROJECT,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    return [10 * float(seconds) for seconds in done.stdout.split()]


def main() -> None:
    """Measure and report."""
    rows = []
    ours = os.environ["GOMP_SPINCOUNT"]
    for name, spin_count in (("libgomp's default", "300000"), (f"{ours} rounds, ours", ours)):
        idle = epochs(spin_count)
        busy = [subprocess.Popen((sys.executable, "-c", BUSY)) for _ in range(2)]
        try:
            crowded = epochs(spin_count)
        finally:
            for process in busy:
                process.kill()
                process.wait()
        rows.append((name, spread(idle), spread(crowded)))
    header = ("2 threads on 2 cores", "idle machine, s/epoch", "two busy processes, s/epoch")
    report("contention", "An epoch of SimpleNet on MNIST beside other processes", header, rows)


if __name__ == "__main__":
    as_command(main, __doc__)
