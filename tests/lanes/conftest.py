"""Runs as lanes and alone, on the digits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
import torch
from torch import nn

from experiments.data.splits import Splits
from experiments.lanes.lane import Lane
from experiments.lanes.training import fit_lanes
from experiments.models import SimpleNet
from experiments.tasks import Task
from experiments.training.gradients import Autograd
from experiments.training.loop import fit
from experiments.training.position import Position
from tests.made_tasks import classification


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Use one thread, because tests run in parallel."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Normed(nn.Module):
    """A user's model: batch normalisation keeps buffers, a layer is frozen, another unused."""

    def __init__(self) -> None:
        super().__init__()
        self.frozen, self.unused = nn.Linear(784, 32), nn.Linear(3, 3)
        self.frozen.requires_grad_(requires_grad=False)
        self.norm, self.last = nn.BatchNorm1d(32), nn.Linear(32, 10)

    def forward(self, x):
        return self.last(self.norm(self.frozen(x.flatten(1))).relu())


def sgd(parameters, **options):
    return torch.optim.SGD(parameters, **{"lr": 0.01, "momentum": 0.9, "fused": True} | options)


def adamw(parameters, **options):
    return torch.optim.AdamW(parameters, **{"lr": 0.003, "fused": True} | options)


def constant(optimizer):
    return torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)


def onecycle(optimizer):
    return torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.05, total_steps=72)


@dataclass
class Run:
    """A run's objects, built from its seed."""

    splits: Splits
    seed: int = 0
    epochs: int = 3
    model: Callable[[], nn.Module] = SimpleNet
    optimizer: Callable = sgd
    options: dict = field(default_factory=dict)
    schedule: Callable = constant
    task: Callable[[], Task] = classification

    def __post_init__(self) -> None:
        torch.manual_seed(self.seed)
        self.module = self.model()
        self.steps = self.optimizer(self.module.parameters(), **self.options)
        self.scheduler = self.schedule(self.steps)
        self.position, self.logged = Position(), []

    def log(self, metrics, epoch: int) -> None:
        self.logged.append(dict(metrics))

    @property
    def losses(self) -> list[float]:
        return [metrics["train_loss"] for metrics in self.logged]

    def weights(self) -> torch.Tensor:
        return torch.cat([value.float().flatten() for value in self.module.state_dict().values()])

    def lane(self, after_epoch: Callable[[], None] = lambda: None) -> Lane:
        task = self.task()
        return Lane(
            model=self.module,
            task=task,
            optimizer=self.steps,
            schedule=self.scheduler,
            schedule_interval="batch" if self.schedule is onecycle else "epoch",
            monitor="val_loss",
            train=self.splits.train,
            validation=self.splits.validation,
            epochs=self.epochs,
            seed=self.seed,
            position=self.position,
            log=self.log,
            after_epoch=after_epoch,
            gradients=Autograd(self.module, task),
        )

    def alone(self) -> Run:
        lane = self.lane()
        fit(
            **{name: getattr(lane, name) for name in lane.__dataclass_fields__},
            batch_size=64,
            limit_batches=None,
            after_batch=lambda: None,
        )
        return self


def together(*runs: Run, after_batch: Callable[[], None] = lambda: None) -> list[list[Run]]:
    """Train runs as lanes; return them in the order in which they left."""
    kept = [run.lane() for run in runs]
    lanes = {id(lane): run for lane, run in zip(kept, runs, strict=True)}
    left = fit_lanes(kept, batch_size=64, limit_batches=None, after_batch=after_batch)
    return [[lanes[id(lane)] for lane in leaving] for leaving in left]
