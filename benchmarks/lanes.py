"""A sweep as one stacked model: memory, results, and whole sweeps on each launcher.

`benchmarks.lanes_epoch` measures its epochs; `benchmarks.article` names the article.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from benchmarks.article import ArticleNet, loaders, train_epoch
from benchmarks.epoch import ROOT
from benchmarks.lanes_epoch import lane
from benchmarks.process import PROJECT
from benchmarks.report import as_command, report, spread
from benchmarks.sweep import sweep
from experiments import journal
from experiments.lanes.training import fit_lanes
from experiments.run.load_torch import load_torch

REPEATS = 3
LAUNCHERS = {
    "basic": ("hydra/launcher=basic",),
    "processes, 2 workers of 1 thread": ("hydra/launcher=processes", "trainer.threads=1"),
    "vectorized": ("hydra/launcher=vectorized",),
}
SAMENESS_GRID = ("optimizer.lr=0.005,0.01,0.02", "optimizer.momentum=0,0.9", "seed=0,1")
SWEEPS = {
    "16 lr x 1 seed": ("optimizer.lr=range(0.005,0.085,0.005)",),
    "4 lr x 4 seeds": ("optimizer.lr=0.01,0.02,0.04,0.08", "seed=range(4)"),
}


def sweeps() -> None:
    """Measure whole sweeps of 16 jobs of 3 epochs on each launcher."""
    rows = []
    for name, overrides in SWEEPS.items():
        walls: dict[str, list[float]] = {launcher: [] for launcher in LAUNCHERS}
        for _ in range(REPEATS):
            for launcher, setting in LAUNCHERS.items():
                with tempfile.TemporaryDirectory() as folder:
                    walls[launcher].append(sweep(folder, *setting, *overrides, "trainer.epochs=3"))
        ours = statistics.median(walls["vectorized"])
        for launcher, taken in walls.items():
            ratio = f"{statistics.median(taken) / ours:.2f}x"
            rows.append((name, launcher, spread(taken, "{:.1f} s"), ratio))
    header = ("16 jobs of 3 epochs of MNIST", "launcher", "the whole command", "it / vectorized")
    report("lanes_sweeps", "Sweeps of 16 jobs on each launcher", header, rows)
    print("bars: basic >= 1.8x with warm imports (aim 2.5x), processes >= 1.2x")


def many() -> None:
    """Measure sweeps of 64 jobs of 3 epochs; estimate the article's loop from two epochs."""
    loader = loaders(ROOT)[0]
    network = ArticleNet()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
    article = []
    for _ in range(2):
        began = time.perf_counter()
        train_epoch(network, optimizer, loader)
        article.append(time.perf_counter() - began)
    rows = [("the article's loop, from 2 epochs", f"{64 * 3 * statistics.mean(article):.0f} s")]
    grid = ("optimizer.lr=range(0.005,0.085,0.005)", "seed=range(4)", "trainer.epochs=3")
    for launcher, setting in LAUNCHERS.items():
        with tempfile.TemporaryDirectory() as folder:
            rows.append((launcher, f"{sweep(folder, *setting, *grid):.1f} s"))
    report("lanes_64", "64 jobs of 3 epochs of MNIST", ("how", "the whole command"), rows)


def memory() -> None:
    """Measure the memory of stacks of 2 to 64 lanes, each in a process of its own."""
    rows = []
    for lanes in (2, 4, 8, 16, 32, 64):
        command = (sys.executable, "-c", f"from benchmarks import lanes; lanes.memory_of({lanes})")
        done = subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, text=True)
        before, peak = map(int, done.stdout.split())
        rows.append((str(lanes), f"{(peak - before) / 1024:.0f}", f"{peak / 1024:.0f}"))
    header = ("lanes", "added by the stack at its peak, MiB", "peak of the process, MiB")
    report("lanes_memory", "Memory of a stack of SimpleNets on MNIST, batch 64", header, rows)


def memory_of(lanes: int) -> None:
    """Print this process's memory in KiB before a stack exists and at the peak of its training."""
    load_torch()
    lane(0.01, 0, 1, [])  # loads the data
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    before = _status("VmRSS")
    kept = [lane(0.01, seed, 1, []) for seed in range(lanes)]
    list(fit_lanes(kept, batch_size=64, limit_batches=50, after_batch=lambda: None))
    print(before, _status("VmHWM"))


def _status(key: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1])
    raise KeyError(key)


def sameness() -> None:
    """Compare lanes with the jobs alone: 3 epochs on MNIST, a grid of lr, momentum and seed.

    As a scale, the table also compares the jobs alone with 2 threads and with 1 thread, which
    changes their last bits.
    """
    ways = {
        "alone": ("hydra/launcher=basic",),
        "lanes": ("hydra/launcher=vectorized",),
        "threads": ("hydra/launcher=basic", "trainer.threads=1"),
    }
    told: dict[str, dict[str, journal.History]] = {}
    for way, setting in ways.items():
        with tempfile.TemporaryDirectory() as folder:
            sweep(folder, *setting, *SAMENESS_GRID, "trainer.epochs=3", "tracking=none")
            found = [journal.history(path.parent) for path in jobs_in(Path(folder))]
            told[way] = {setting_of(history): history for history in found}
    rows = []
    for name in sorted(told["alone"]):
        cells = []
        for way in ("lanes", "threads"):
            losses, accuracy = differences(told["alone"][name], told[way][name])
            cells += [" ".join(f"{loss:.0e}" for loss in losses), f"{100 * accuracy:+.2f}"]
        rows.append((name, *cells))
    header = (
        *(
            "lr, momentum, seed",
            "lane: relative difference of each epoch's loss",
            "accuracy, points",
        ),
        *("1 thread instead of 2: the same", "accuracy, points"),
    )
    report("lanes_sameness", "Lanes and the jobs alone, 3 epochs of MNIST", header, rows)
    print("bars: 1e-4, 0.1 points")


def jobs_in(folder: Path) -> list[Path]:
    """Return the journals of the jobs of the only sweep in a folder."""
    return sorted(folder.glob("outputs/*/*_sweep/*/journal.jsonl"))


def setting_of(history: journal.History) -> str:
    """Return the learning rate, momentum and seed of a run."""
    params = history.start["params"]
    return " ".join(params[key] for key in ("optimizer.lr", "optimizer.momentum", "seed"))


def differences(alone: journal.History, other: journal.History) -> tuple[list[float], float]:
    """Return each epoch's relative difference of the loss, and the difference of accuracy."""
    losses = [
        abs(other.points[point] / value - 1)
        for point, value in sorted(alone.points.items())
        if point[0] == "train_loss"
    ]
    return losses, other.metrics["test_accuracy"] - alone.metrics["test_accuracy"]


def main() -> None:
    """Measure and report."""
    load_torch()
    memory()
    sameness()
    sweeps()
    many()


if __name__ == "__main__":
    as_command(main, __doc__)
