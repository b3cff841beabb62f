"""Sweeps: the cost of a job beside its training, a plan, a repeated command, two workers."""

from __future__ import annotations

import itertools
import json
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.process import PROJECT, seconds
from benchmarks.ratios import TURNS, Ratio, Samples
from benchmarks.report import as_command, report, spread
from experiments import journal

REPEATS = 3
TINY = ("data=digits", "trainer.epochs=1")
JOB, TORCH = "a job beside its epoch", "import torch"
RATIOS = {"a job beside its epoch / import torch": Ratio(JOB, TORCH)}


def sweep(folder: str, *overrides: str) -> float:
    """Run a sweep in a folder; return the seconds of the whole command."""
    return seconds(sys.executable, str(PROJECT / "train.py"), "-m", *overrides, folder=folder)


def cost_of_a_job(folder: Path) -> float:
    """Return the median seconds from the end of a job to the end of the next, less the epoch."""
    (sweep_folder,) = folder.glob("outputs/*/*_sweep")
    ends = sorted(
        json.loads(path.read_text())["time"] for path in sweep_folder.glob(".jobs/*/*/*.json")
    )
    epochs = [
        journal.history(path.parent).metrics["epoch_seconds"]
        for path in sweep_folder.glob("*/journal.jsonl")
    ]
    between = [later - earlier for earlier, later in itertools.pairwise(ends)]
    return statistics.median(between) - statistics.median(epochs)


def measure() -> Samples:
    """Return the seconds of a job beside its epoch, in a sweep of 20, and of importing torch."""
    taken: dict[str, list[float]] = {JOB: [], TORCH: []}
    for _ in range(TURNS):
        with tempfile.TemporaryDirectory() as folder:
            sweep(folder, *TINY, "seed=range(20)", "tracking.log_model=false")
            taken[JOB].append(cost_of_a_job(Path(folder)))
            taken[TORCH].append(seconds(sys.executable, "-c", "import torch", folder=folder))
    return taken


def tiny_jobs() -> list[tuple[str, str, str]]:
    """Measure 100 jobs of one short epoch, the same command again, and a plan; return rows."""
    costs, walls, again, one = [], [], [], []
    for _ in range(REPEATS):
        with tempfile.TemporaryDirectory() as folder:
            walls.append(sweep(folder, *TINY, "seed=range(100)"))
            costs.append(cost_of_a_job(Path(folder)))
            again.append(sweep(folder, *TINY, "seed=range(100)"))
            sweep(folder, *TINY, "seed=0,1")
            one.append(sweep(folder, *TINY, "seed=0,1"))
    skipped = [(many - few) / 98 for many, few in zip(again, one, strict=True)]
    with tempfile.TemporaryDirectory() as folder:
        sweep(folder, *TINY, "seed=0", "tracking=none")  # the digits are made once
        wide = ("sweep.plan_only=true", "seed=range(250)", "optimizer.lr=0.1,0.2")
        plans = [
            sweep(folder, *TINY, *wide, "optimizer=sgd,adamw", "tracking=none")
            for _ in range(REPEATS)
        ]
    return [
        ("100 jobs of one epoch of digits, the whole command", spread(walls, "{:.1f} s"), ""),
        ("a job beside its epoch", spread([1e3 * c for c in costs], "{:.0f} ms"), "< 150 ms"),
        ("the same command, all finished", spread(again), "< 5 s beyond imports"),
        ("skipping a finished job", spread([1e3 * s for s in skipped], "{:.1f} ms"), "< 50 ms"),
        ("the plan of 1,000 jobs, the whole command", spread(plans, "{:.1f} s"), "< 20 s"),
    ]


def two_workers() -> list[tuple[str, str, str]]:
    """Measure 16 jobs of 3 epochs of MNIST, one thread each, in turn and in pairs; return rows."""
    overrides = ("trainer.threads=1", "trainer.epochs=3", "seed=range(16)")
    basic: list[float] = []
    joblib: list[float] = []
    for _ in range(REPEATS):
        for launcher, walls in (("basic", basic), ("processes", joblib)):
            with tempfile.TemporaryDirectory() as folder:
                walls.append(sweep(folder, f"hydra/launcher={launcher}", *overrides))
    ratios = [slow / fast for slow, fast in zip(basic, joblib, strict=True)]
    return [
        ("16 jobs of 3 epochs of MNIST, basic", spread(basic, "{:.1f} s"), ""),
        ("the same with hydra/launcher=processes, 2 workers", spread(joblib, "{:.1f} s"), ""),
        ("basic / processes", spread(ratios), ">= 1.7"),
    ]


def main() -> None:
    """Measure and report."""
    rows = [*tiny_jobs(), *two_workers()]
    header = ("what", "measured", "bar")
    report("sweep", "Sweeps", header, rows, seconds=measure(), ratios=RATIOS)


if __name__ == "__main__":
    as_command(main, __doc__)
