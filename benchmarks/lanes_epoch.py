"""Epochs of models as lanes, of a run alone, and of the matrix products, in turns in one process.

`benchmarks.epoch` defines these products.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterable

import torch

from benchmarks.epoch import FLOOR, floor_seconds, ours_seconds
from benchmarks.ratios import TURNS, Ratio, Samples
from benchmarks.report import as_command, report, spread
from benchmarks.training import composed
from experiments.lanes.lane import Lane
from experiments.lanes.training import fit_lanes
from experiments.run.build import assemble
from experiments.run.choose_gradients import gradients_of
from experiments.run.load_torch import load_torch
from experiments.training.position import Position

GRIDS = {
    "16 lr x 1 seed": (16, 1),
    "4 lr x 4 seeds": (4, 4),
    "1 lr x 4 seeds": (1, 4),
    "1 lr x 16 seeds": (1, 16),
}
ALONE = "a run alone"
AIMS = {"16 lr x 1 seed": 1.5, "1 lr x 4 seeds": 2.2}
RATIOS = {
    f"an epoch of a lane of {name} / its matrix products": Ratio(name, FLOOR, aim=aim)
    for name, aim in AIMS.items()
}


def lane(lr: float, seed: int, epochs: int, seconds: list[float]) -> Lane:
    """Return a lane of SimpleNet that appends its share of each epoch's seconds to `seconds`."""
    config = composed(f"optimizer.lr={lr}", f"seed={seed}", f"trainer.epochs={epochs}")
    parts = assemble(config, tried=True)
    return Lane(
        model=parts.model,
        task=parts.task,
        optimizer=parts.optimizer,
        schedule=parts.schedule,
        schedule_interval=config.schedule.interval,
        monitor=config.trainer.monitor,
        train=parts.splits.train,
        validation=parts.splits.validation,
        epochs=epochs,
        seed=seed,
        position=Position(),
        log=lambda metrics, _: seconds.append(metrics["epoch_seconds"]),
        after_epoch=lambda: None,
        gradients=gradients_of(config, parts, Position),
    )


def lanes_seconds(rates: int, seeds: int) -> float:
    """Train a grid as lanes; return the seconds per model of its second epoch."""
    seconds: list[float] = []
    grid = itertools.product(range(rates), range(seeds))
    lanes = [lane(0.01 * (1 + rate), seed, 2, seconds) for rate, seed in grid]
    list(fit_lanes(lanes, batch_size=64, limit_batches=None, after_batch=lambda: None))
    return seconds[-1]


def measure(grids: Iterable[str] = AIMS) -> Samples:
    """Return the seconds per model and epoch, alone and as lanes of grids, in each turn."""
    load_torch()
    torch.set_num_threads(2)
    seconds: dict[str, list[float]] = {name: [] for name in (FLOOR, ALONE, *grids)}
    for _ in range(TURNS):
        seconds[FLOOR].append(statistics.median(floor_seconds() for _ in range(3)))
        seconds[ALONE].append(statistics.median(ours_seconds()))
        for name in grids:
            seconds[name].append(lanes_seconds(*GRIDS[name]))
    return seconds


def main() -> None:
    """Measure and report."""
    seconds = measure(GRIDS)
    floor, alone = (statistics.median(seconds[name]) for name in (FLOOR, ALONE))
    rows = []
    for name, values in seconds.items():
        middle = statistics.median(values)
        shown = f"a lane of {name}" if name in GRIDS else name
        ratios = (f"{middle / floor:.2f}", f"{alone / middle:.2f}x")
        rows.append((shown, spread(values, "{:.3f}"), *ratios))
    header = (
        *("MNIST, batch 64, 2 threads", "s per model and epoch"),
        *("times the matrix products", "alone / it"),
    )
    title = "An epoch of a lane"
    report("lanes_epoch", title, header, rows, seconds=seconds, ratios=RATIOS)


if __name__ == "__main__":
    as_command(main, __doc__)
