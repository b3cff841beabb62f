"""The cost of a checkpoint and a synced journal at the end of every epoch."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

from benchmarks.report import as_command, report, spread
from benchmarks.training import epoch_seconds, trained
from experiments.journal import Journal, history
from experiments.run.load_torch import load_torch
from experiments.tracking import Recorder

EPOCHS = 15
CASES = {
    "SimpleNet, SGD with momentum": ("optimizer=sgd_momentum",),
    "SimpleNet, AdamW": ("optimizer=adamw",),
    "SimpleNet, hidden 2048, AdamW": ("optimizer=adamw", "model.hidden=[2048]"),
}


class Timed(Recorder):
    """A recorder that notes the seconds of each report to the journal."""

    def __init__(self, journal: Journal, seconds: list[float]) -> None:
        super().__init__(journal, history(journal.folder), None)
        self.seconds = seconds

    def metrics(self, *arguments: object) -> None:
        """Record, and note the seconds."""
        began = time.perf_counter()
        super().metrics(*arguments)  # type: ignore[arg-type]
        self.seconds.append(time.perf_counter() - began)


def measure(*overrides: str) -> tuple[list[float], list[float], list[float]]:
    """Return the seconds of each epoch, of its checkpoint and of its journal line."""
    load_torch()
    from experiments.run import checkpoint

    saves: list[float] = []
    original = checkpoint.Checkpoints.save

    def timed(self: checkpoint.Checkpoints, *arguments: object) -> Path:
        began = time.perf_counter()
        path = original(self, *arguments)  # type: ignore[arg-type]
        saves.append(time.perf_counter() - began)
        return path

    checkpoint.Checkpoints.save = timed  # type: ignore[method-assign, assignment]
    lines: list[float] = []
    try:
        told = trained(
            f"trainer.epochs={EPOCHS}", *overrides, recorder=lambda each: Timed(each, lines)
        )
    finally:
        checkpoint.Checkpoints.save = original  # type: ignore[method-assign]
    return epoch_seconds(told)[1:], saves[1:], lines[1:EPOCHS]


def main() -> None:
    """Measure and report."""
    rows = []
    for name, overrides in CASES.items():
        epochs, saves, lines = measure(*overrides)
        share = (statistics.median(saves) + statistics.median(lines)) / statistics.median(epochs)
        milliseconds = [[1000 * s for s in seconds] for seconds in (saves, lines)]
        rows.append([name, spread(epochs), *map(spread, milliseconds), f"{100 * share:.1f} %"])
    header = (
        "model and optimizer",
        "epoch, s",
        "checkpoint, ms",
        "journal line, ms",
        "both, share of an epoch",
    )
    report("checkpoint", "A durable checkpoint and journal at every epoch on MNIST", header, rows)


if __name__ == "__main__":
    as_command(main, __doc__)
