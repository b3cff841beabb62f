"""The time of the whole command for 10 epochs: train.py and the article's script.

The data is fetched before. `benchmarks.article` names the article.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.report import as_command, report, spread

PROJECT = Path(__file__).parent.parent
REPEATS = 5


def seconds(*command: str, folder: str) -> float:
    """Return the seconds that a command takes in a folder."""
    began = time.perf_counter()
    subprocess.run(
        command,
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - began


def main() -> None:
    """Measure and report."""
    train = (sys.executable, str(PROJECT / "train.py"), "force=true")
    with tempfile.TemporaryDirectory() as folder:
        cold = seconds(*train, folder=folder)
        tracked = [seconds(*train, folder=folder) for _ in range(REPEATS)]
        untracked = [seconds(*train, "tracking=none", folder=folder) for _ in range(REPEATS)]
        script = (sys.executable, "-m", "benchmarks.article")
        theirs = [seconds(*script, folder=str(PROJECT)) for _ in range(2)]
    middle, their = statistics.median(tracked), statistics.median(theirs)
    rows = [
        ("python train.py", spread(tracked), f"{their / middle:.1f}x"),
        ("python train.py, MLflow's database made first", spread([cold]), ""),
        ("python train.py tracking=none", spread(untracked), ""),
        ("the article's script", spread(theirs), "1x"),
    ]
    header = ("whole process, 10 epochs", "seconds", "faster than the article's script")
    report("process", "The whole command", header, rows)
    print("bar: >= 7x the article's script")


if __name__ == "__main__":
    as_command(main, __doc__)
