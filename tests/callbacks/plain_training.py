"""A training for callbacks, around the real loop, that keeps everything they report."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from experiments.callbacks import Callback, Training
from experiments.callbacks.moments import Moments
from experiments.data.splits import Split, Splits
from experiments.models import SimpleNet
from experiments.randomness import seed_all
from experiments.tasks import Classification, Task
from experiments.training.loop import fit
from experiments.training.position import Position


class StoppedError(Exception):
    """Ends a training at a batch."""


class PlainTraining(Training):
    """Trains a model on a few digits with the given callbacks."""

    def __init__(
        self,
        splits: Splits,
        callbacks: Mapping[str, Callback],
        *,
        model: nn.Module | None = None,
        task: Task | None = None,
        epochs: int = 2,
        folder: Path | None = None,
        clip=None,
    ) -> None:
        seed_all(0)
        self.model = model or SimpleNet(inputs=784, hidden=[16], classes=10)
        self.task, self.epochs, self.folder, self.clip = (
            task or Classification(),
            epochs,
            folder,
            clip,
        )
        self.task.loss, self.task.metrics = nn.CrossEntropyLoss(), {}
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, max_lr=0.1, total_steps=epochs * 6
        )
        self.is_first = True
        self.train, self.validation, self.test = splits.train, splits.validation, None
        self.position = Position()
        self.logged: list[dict[str, float]] = []
        self.figures: list[str] = []
        self.moments = Moments(callbacks, self)

    @property
    def epoch(self) -> int:
        return self.position.epoch

    @property
    def step(self) -> int:
        return self.position.steps

    def log(self, metrics: Mapping[str, float]) -> None:
        while len(self.logged) < self.epoch:
            self.logged.append({})
        self.logged[self.epoch - 1] |= metrics

    def log_figure(self, figure, name: str) -> None:
        figure.savefig(self.place(name))
        self.figures.append(name)

    def log_artifact(self, file: Path, name: str) -> None:
        shutil.copy(file, self.place(name))

    def place(self, name: str) -> Path:
        assert self.folder is not None
        (self.folder / name).parent.mkdir(exist_ok=True)
        return self.folder / name

    def stop(self, reason: str) -> None:
        self.position.stopped = True

    def run(self, *, states=None, stop_at: int | None = None) -> PlainTraining:
        """Train to the end, or until an optimizer step; 6 batches of 16 are an epoch."""
        self.moments.fit_start(states or {})

        def after_batch() -> None:
            if self.step == stop_at:
                raise StoppedError

        with contextlib.suppress(StoppedError):
            fit(
                model=self.model,
                task=self.task,
                optimizer=self.optimizer,
                schedule=self.schedule,
                schedule_interval="batch",
                monitor="val_loss",
                train=self.train,
                validation=self.validation,
                epochs=self.epochs,
                batch_size=16,
                accumulate=1,
                clip=self.clip,
                limit_batches=6,
                seed=0,
                position=self.position,
                moments=self.moments,
                log=lambda *_: None,
                after_epoch=lambda: None,
                after_batch=after_batch,
            )
        return self


def few(splits: Splits) -> Splits:
    """Return splits with 96 training and 50 validation examples."""
    train = Split(splits.train.images[:96], splits.train.labels[:96])
    held = Split(splits.train.images[96:146], splits.train.labels[96:146])
    return Splits(train, held, splits.test, splits.sha256)
