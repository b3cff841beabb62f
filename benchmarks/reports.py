"""The time of `experiments report` and the size of its page, for a sweep of 200 jobs and a run."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.report import as_command, report, spread

PROJECT = Path(__file__).parents[1]
REPEATS = 7
VARIED = (
    *("optimizer.lr=0.001,0.003,0.01,0.03,0.1", "optimizer=sgd,sgd_momentum"),
    *("data.batch_size=32,64", "model.hidden=[32],[128]", "seed=0,1,2,3,4"),
)
USUAL = (
    "hydra/launcher=vectorized",
    "data=digits",
    "data.validation_size=200",
    "trainer.epochs=10",
)


def main() -> None:
    """Measure and report."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sweep = ("-m", *USUAL, *VARIED, "hydra.sweep.dir=outputs/sweep")
        for tracking in ("none", "mlflow"):
            program = [sys.executable, str(PROJECT / "train.py"), *sweep, f"tracking={tracking}"]
            subprocess.run(program, cwd=folder, check=True, capture_output=True)
            for title, place in (("sweep of 200 jobs", "sweep"), ("run", "sweep/0")):
                taken = [seconds(folder, f"outputs/{place}") for _ in range(REPEATS)]
                size = (folder / "outputs" / place / "report.html").stat().st_size
                goes = "to MLflow too" if tracking == "mlflow" else "a file only"
                rows.append([title, goes, spread(taken, "{:.1f}"), f"{size / 1e6:.2f}"])
    header = ("report of a", "kept as", "seconds", "MB")
    report("reports", "Reports of a sweep of 200 jobs of 10 epochs and of a run", header, rows)


def seconds(folder: Path, run: str) -> float:
    """Return the seconds that a report takes."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "experiments", "report", run]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    as_command(main, __doc__)
