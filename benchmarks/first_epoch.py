"""The first epoch of a run and its later ones, with tracking and without.

While the first epoch trains, a second process imports MLflow, and makes the database if there is
none. No model is logged: that would slow the next run.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.process import PROJECT
from benchmarks.ratios import TURNS, Ratio, Samples
from benchmarks.report import as_command, report, spread
from benchmarks.training import epoch_seconds
from experiments import journal

EPOCHS = 4
AIM = 1.3
TRACKED = "tracking.uri=sqlite:///mlflow.db"
TO_EXISTING, TO_NEW = "into an existing database", "into a new database"
WAYS = {
    "without tracking": "tracking=none",
    TO_EXISTING: TRACKED,
    TO_NEW: TRACKED,
}
RATIOS = {
    f"the first epoch / a later one, {way}": Ratio(f"first, {way}", f"later, {way}", aim=AIM)
    for way in WAYS
}


def epochs(folder: Path, tracking: str) -> list[float]:
    """Run train.py on MNIST in a folder; return the seconds of each epoch."""
    number = len(list(folder.glob("run-*")))
    place = folder / f"run-{number}"
    overrides = (f"trainer.epochs={EPOCHS}", "force=true", f"hydra.run.dir={place}", tracking)
    command = (sys.executable, str(PROJECT / "train.py"), "tracking.log_model=false", *overrides)
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return epoch_seconds(journal.history(place))


def measure() -> Samples:
    """Return the seconds of the first epoch, and the median of the later ones, in each turn."""
    seconds: dict[str, list[float]] = {
        f"{place}, {way}": [] for way in WAYS for place in ("first", "later")
    }
    with tempfile.TemporaryDirectory() as kept:
        epochs(Path(kept), TRACKED)  # makes the database
        for _ in range(TURNS):
            for way, tracking in WAYS.items():
                with tempfile.TemporaryDirectory() as empty:
                    first, *later = epochs(Path(empty if way == TO_NEW else kept), tracking)
                seconds[f"first, {way}"].append(first)
                seconds[f"later, {way}"].append(statistics.median(later))
    return seconds


def main() -> None:
    """Measure and report."""
    seconds = measure()
    rows = [
        (way, spread(seconds[f"first, {way}"]), spread(seconds[f"later, {way}"])) for way in WAYS
    ]
    header = ("MNIST, 2 threads", "first epoch, s", "median of epochs 2 to 4, s")
    title = "The first epoch of a run"
    report("first_epoch", title, header, rows, seconds=seconds, ratios=RATIOS)


if __name__ == "__main__":
    as_command(main, __doc__)
