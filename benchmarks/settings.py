"""When precision and compilation pay: seconds of an epoch of training in each setting.

Each setting trains its own model in turns with the others, in one process, on 2 threads. The time
to compile is that of the first step and of no other, with an empty cache.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import tempfile
import time

import torch
import torch._dynamo

from benchmarks.epoch import BATCH, STEPS
from benchmarks.report import as_command, report, spread
from benchmarks.training import composed
from experiments.run.build import assemble
from experiments.run.choose_gradients import gradients_of
from experiments.run.load_torch import load_torch
from experiments.training.compiled_steps import compiled_steps
from experiments.training.loop import train_epoch
from experiments.training.position import Position
from experiments.training.precision import Precision
from experiments.training.updates import Updates

ROUNDS = 5
SHARE = 20  # each round trains a twentieth of an epoch, and twenty times its seconds are told
MODELS = {
    "SimpleNet": (),
    "MLP 1024, 1024": ("model.hidden=[1024,1024]",),
    "ConvNet": ("model=convnet",),
}
PRECISIONS: tuple[Precision, ...] = ("float32", "bf16-mixed", "fp16-mixed")
MODES = (None, "default")


class Setting:
    """A model in training, in one setting."""

    def __init__(self, model: str, precision: Precision, mode: str | None) -> None:
        told = f"trainer.precision={precision}", f"trainer.compile={mode or 'null'}"
        config = composed(*told, *MODELS[model])
        self._parts, self._epoch = assemble(config, tried=True), 0
        self._gradients = gradients_of(config, self._parts, Position)
        self._updates = Updates([self._parts.optimizer], self._gradients.scaler)
        parts = self._updates, self._parts.optimizer, self._parts.splits.train, BATCH
        self._compiled = compiled_steps(self._gradients, *parts)

    def seconds(self, steps: int) -> float:
        """Train for a number of steps; return the seconds."""
        self._epoch += 1
        began = time.perf_counter()
        train_epoch(
            model=self._parts.model,
            gradients=self._gradients,
            updates=self._updates,
            schedule=None,
            split=self._parts.splits.train,
            batch_size=BATCH,
            limit_batches=steps,
            seed=0,
            position=Position(epoch=self._epoch),
            after_batch=lambda: None,
            compiled=self._compiled,
        )
        return time.perf_counter() - began


def main(rounds: int = ROUNDS, steps: int = STEPS // SHARE) -> None:
    """Measure and report."""
    load_torch()
    torch.set_num_threads(2)
    torch._dynamo.config.recompile_limit = 64  # all settings are compiled in this process
    torch._dynamo.config.fail_on_recompile_limit_hit = True
    with tempfile.TemporaryDirectory() as cache:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = cache
        names = list(itertools.product(MODELS, PRECISIONS, MODES))
        settings = {name: Setting(*name) for name in names}
        first = {name: setting.seconds(1) for name, setting in settings.items()}
        found: dict[tuple[str, Precision, str | None], list[float]] = {name: [] for name in names}
        for _ in range(rounds):
            for name, setting in settings.items():
                found[name].append(setting.seconds(steps) * STEPS / steps)
    rows = []
    for name, seconds in found.items():
        model, precision, mode = name
        plain = statistics.median(found[model, "float32", None])
        faster = f"{plain / statistics.median(seconds):.2f}x"
        compiling = f"{first[name]:.1f}" if mode is not None else ""
        rows.append((model, precision, mode or "null", spread(seconds), faster, compiling))
    header = ("model", "precision", "compile", "seconds of an epoch", "faster", "s to compile")
    title = f"An epoch of MNIST in each setting: {STEPS} steps of batch {BATCH}, 2 threads"
    report("settings", title, header, rows)


def add_counts(parser: argparse.ArgumentParser) -> None:
    """Add the counts of rounds and steps."""
    parser.add_argument("rounds", nargs="?", type=int, default=ROUNDS, help="measured rounds")
    parser.add_argument("steps", nargs="?", type=int, default=STEPS // SHARE, help="steps of each")


if __name__ == "__main__":
    as_command(main, __doc__, add_counts)
