"""The training part of an epoch on several processes: shards, DistributedDataParallel and plain.

Each way trains the same two models on MNIST in turns, with one thread in each process, so that
noise of the machine changes the ratios little. Runs with shards must end with the same weights on
any number of processes; this is checked for three seeds.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.report import as_command, report, spread
from experiments import journal

PROJECT = Path(__file__).parent.parent
ROUNDS, SEEDS = 3, 3  # each round gives two epochs
MODELS: Mapping[str, Sequence[str]] = {
    "SimpleNet of the article, batch 64": (),
    "SimpleNet of 2048 and 2048 units, 10 batches of 512": (
        *("model.hidden=[2048,2048]", "data.batch_size=512", "trainer.limit_batches=10"),
    ),
}


@dataclass
class Way:
    """A way to train, with the seconds of its epochs and the weights of each seed."""

    processes: int
    overrides: Sequence[str] = ()
    seconds: list[float] = field(default_factory=list)
    weights: dict[int, str] = field(default_factory=dict)


def ways() -> dict[str, Way]:
    """Return the ways to compare, by name; the first one is the usual one."""
    sharded, ddp = ("trainer.shards=4",), ("trainer.strategy=ddp",)
    return {
        "1 process": Way(1),
        "1 process, 4 shards": Way(1, sharded),
        "2 processes, 4 shards": Way(2, sharded),
        "4 processes, 4 shards": Way(4, sharded),
        "2 processes, ddp": Way(2, ddp),
        "4 processes, ddp": Way(4, ddp),
    }


def trained(processes: int, overrides: Sequence[str]) -> journal.History:
    """Train a run of three epochs in an empty folder; return its history."""
    start = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    usual = ("tracking=none", "trainer.threads=1", "trainer.device=cpu", "trainer.epochs=3")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [
                *(sys.executable, *(start if processes > 1 else []), str(PROJECT / "train.py")),
                *(*usual, *overrides),
            ],
            cwd=folder,
            check=True,
            capture_output=True,
        )
        (run,) = Path(folder).glob(f"outputs/2*/*/{journal.NAME}")
        return journal.history(run.parent)


def measure(compared: Mapping[str, Way], overrides: Sequence[str], rounds: int) -> None:
    """Train each way in turns; the first epoch of a run warms up and does not count."""
    for turn in range(rounds):
        for way in compared.values():
            seed = turn % SEEDS
            past = trained(way.processes, (*overrides, *way.overrides, f"seed={seed}"))
            way.seconds += [past.points["epoch_seconds", epoch] for epoch in (2, 3)]
            way.weights[seed] = past.tags["weights_sha256"]


def check_weights(compared: Mapping[str, Way]) -> int:
    """Return the number of seeds whose sharded runs have the same weights: all of them.

    Raises:
        AssertionError: two runs of a seed have different weights.
    """
    sharded = [way.weights for way in compared.values() if "trainer.shards=4" in way.overrides]
    for one in sharded:
        if one != sharded[0]:
            raise AssertionError(f"other weights on another number of processes: {sharded}")
    return len(sharded[0])


def main(rounds: int = ROUNDS, extra: Sequence[str] = ()) -> None:
    """Measure and report.

    Args:
        rounds: the number of runs of each way.
        extra: further overrides of all runs.
    """
    rows = []
    for name, overrides in MODELS.items():
        compared = ways()
        measure(compared, (*overrides, *extra), rounds)
        seeds = check_weights(compared)
        plain = statistics.median(compared["1 process"].seconds)
        for way, told in compared.items():
            ratio = plain / statistics.median(told.seconds)
            same = f"equal, {seeds} seeds" if "trainer.shards=4" in told.overrides else ""
            rows.append((name, way, spread(told.seconds, "{:.3f}"), f"{ratio:.2f}x", same))
    header = ("model", "trained by", "seconds of an epoch", "speed", "weights on 1, 2, 4 processes")
    report("processes", "Several processes, one thread in each", header, rows)


if __name__ == "__main__":
    as_command(main, __doc__)
