"""When precision and compilation pay: seconds of an epoch of training in each setting.

Each setting trains its own model in turns with the others, in one process, on 2 threads. The time
to compile is that of the first step and of no other, with an empty cache.
"""

from __future__ import annotations

import itertools
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable

import torch
import torch._dynamo
from torch import nn

from benchmarks.epoch import BATCH, ROOT, STEPS, classification
from benchmarks.report import report, spread
from experiments.data import MNIST
from experiments.data.splits import Splits, load
from experiments.models import ConvNet, SimpleNet
from experiments.run.load_torch import load_torch
from experiments.training.gradients import Autograd, Gradients, ScaledAutograd
from experiments.training.loop import train_epoch
from experiments.training.position import Position
from experiments.training.precision import Precision
from experiments.training.updates import Updates

ROUNDS = 5
SHARE = 20  # each round trains a twentieth of an epoch, and twenty times its seconds are told
MODELS: dict[str, Callable[[], nn.Module]] = {
    "SimpleNet": SimpleNet,
    "MLP 1024, 1024": lambda: SimpleNet(hidden=(1024, 1024)),
    "ConvNet": ConvNet,
}
PRECISIONS: tuple[Precision, ...] = ("float32", "bf16-mixed", "fp16-mixed")
MODES = (None, "default")


class Setting:
    """A model in training, in one setting."""

    def __init__(self, model: str, precision: Precision, mode: str | None, splits: Splits) -> None:
        self._splits, self._epoch = splits, 0
        torch.manual_seed(0)
        self._model = MODELS[model]()
        optimizer = torch.optim.SGD(self._model.parameters(), lr=0.01, momentum=0.9, fused=True)
        if mode is not None:
            self._model.compile(mode=mode, dynamic=False)
        task = classification()
        self._gradients: Gradients = Autograd(self._model, task, precision)
        if precision == "fp16-mixed":
            device = torch.device("cpu")
            self._gradients = ScaledAutograd(self._model, task, optimizer, device)
        self._updates = Updates([optimizer], self._gradients.scaler)

    def seconds(self, steps: int) -> float:
        """Train for a number of steps; return the seconds."""
        self._epoch += 1
        began = time.perf_counter()
        train_epoch(
            model=self._model,
            gradients=self._gradients,
            updates=self._updates,
            schedule=None,
            split=self._splits.train,
            batch_size=BATCH,
            limit_batches=steps,
            seed=0,
            position=Position(epoch=self._epoch),
            after_batch=lambda: None,
        )
        return time.perf_counter() - began


def main(rounds: int = ROUNDS, steps: int = STEPS // SHARE) -> None:
    """Measure and report."""
    load_torch()
    torch.set_num_threads(2)
    splits = load(MNIST, {"root": ROOT})
    torch._dynamo.config.recompile_limit = 64  # all settings are compiled in this process
    torch._dynamo.config.fail_on_recompile_limit_hit = True
    with tempfile.TemporaryDirectory() as cache:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = cache
        names = list(itertools.product(MODELS, PRECISIONS, MODES))
        settings = {name: Setting(*name, splits) for name in names}
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


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
