"""One run among others that are trained together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from experiments.data.splits import Split
from experiments.tasks import Task
from experiments.training.gradients import Gradients
from experiments.training.position import Log, Position


@dataclass(frozen=True)
class Lane:
    """One run in a stack, with the arguments that `experiments.training.loop.fit` takes."""

    model: nn.Module
    task: Task
    optimizer: Optimizer
    schedule: LRScheduler
    schedule_interval: Literal["epoch", "batch"]
    monitor: str
    train: Split
    validation: Split | None
    epochs: int
    seed: int
    position: Position
    log: Log
    after_epoch: Callable[[], None]
    gradients: Gradients
    """computes the gradients while it trains alone"""

    @property
    def is_done(self) -> bool:
        """Whether its last epoch is trained, or it has stopped early."""
        return self.position.epoch > self.epochs or self.position.stopped
