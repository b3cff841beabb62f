"""The protocol of callbacks: a few moments of a training, and what a callback may do there.

Shapes: B batch. A moment that a class does not override costs nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import nn
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler

    from experiments.data.splits import Split
    from experiments.tasks import Task


class Training(ABC):
    """The training that a callback sees."""

    model: nn.Module
    optimizer: Optimizer
    schedule: LRScheduler
    task: Task
    train: Split
    validation: Split | None
    """None without a validation split"""
    test: Split | None
    """None before `on_test_end`, so that no choice is made by the test examples"""
    epochs: int
    """the number of epochs of the run"""
    is_first: bool
    """whether this process records the run; of several that train it together, one does"""

    @property
    @abstractmethod
    def epoch(self) -> int:
        """The current epoch, counted from 1."""

    @property
    @abstractmethod
    def step(self) -> int:
        """The number of optimizer steps since the first epoch."""

    @abstractmethod
    def log(self, metrics: Mapping[str, float]) -> None:
        """Record metrics at the current epoch, in the journal and in MLflow."""

    @abstractmethod
    def log_figure(self, figure: Figure, name: str) -> None:
        """Save a figure of matplotlib in the run's folder, and record it as an artifact.

        Args:
            figure: the figure; it is not closed.
            name: a path below the run's folder; its suffix decides the format, such as `.png`.
        """

    @abstractmethod
    def log_artifact(self, file: Path, name: str) -> None:
        """Copy a file into the run's folder under a name, and record it as an artifact."""

    @abstractmethod
    def stop(self, reason: str) -> None:
        """End the training after the current epoch; the test follows."""


class Callback:
    """The base of callbacks; a subclass overrides the moments that it needs.

    A callback with state that later moments depend on defines `state_dict` and `load_state_dict`;
    checkpoints hold the state, so that a resumed run has the same bits. An exception in a moment
    fails the run.
    """

    def on_fit_start(self, training: Training) -> None:
        """Run before the first step of each process, so also when a run is resumed.

        The model has the weights to begin at. Afterwards `load_state_dict` restores the callback's
        state, if there is one.
        """

    def on_before_step(self, training: Training) -> None:
        """Run after `backward`, before the gradients are clipped and the optimizer steps."""

    def on_batch_end(self, training: Training, loss: Tensor) -> None:
        """Run after an optimizer step; `loss` is that of the last batch, a scalar on the device."""

    def on_epoch_end(self, training: Training, metrics: Mapping[str, float]) -> None:
        """Run after each epoch, with its metrics: train_loss, lr, and the val_… ones.

        The model has the weights that were evaluated (see `weights`).
        """

    def on_test_end(self, training: Training, metrics: Mapping[str, float]) -> None:
        """Run after the test, with the test_… metrics; the model has its final weights."""

    def weights(self) -> Mapping[str, Tensor] | None:
        """Return the weights to evaluate, test and keep in place of the model's own, by name.

        None, the default, keeps the model's own. The training goes on with the model's own.
        """
        return None

    def state_dict(self) -> dict[str, Any]:
        """Return the state as tensors, numbers, texts, lists and dicts; empty for none."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state that `state_dict` returned."""
