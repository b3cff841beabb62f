"""Gradients of a batch's loss. Shapes: B batch, C channels, H and W pixels."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.amp import GradScaler
from torch.optim import Optimizer

from experiments.tasks import Task
from experiments.training.marks import BACKWARD, FORWARD, NO_MARKS, Marks
from experiments.training.precision import Precision, computing_in, outputs_of


class Gradients(ABC):
    """Computes losses, and leaves their gradients in the parameters."""

    @property
    def scaler(self) -> GradScaler | None:
        """The scaler of the loss, by which the optimizer steps; None without one."""
        return None

    @abstractmethod
    def add(self, images: Tensor, labels: Tensor, count: int) -> Tensor:
        """Add the gradients of a batch's loss, divided by `count`, to those of the parameters.

        Args:
            images: float32 (B, C, H, W).
            labels: as the data set has them, (B) or (B, D).
            count: the number of batches whose mean gradient makes an optimizer step.

        Returns:
            The mean loss of the batch, a scalar without a graph; it may have its value only after
            `complete`.
        """

    def complete(self) -> None:  # noqa: B027  (most gradients are complete after each batch)
        """End the gradients of an optimizer step, before callbacks and the optimizer see them."""


class Autograd(Gradients):
    """Gradients by torch's autograd, in float32 or mixed precision."""

    def __init__(
        self,
        model: nn.Module,
        task: Task,
        precision: Precision = "float32",
        marks: Marks = NO_MARKS,
    ) -> None:
        self.model, self.task = model, task
        self._precision, self.marks = precision, marks

    def add(self, images: Tensor, labels: Tensor, count: int) -> Tensor:
        """Run the model forward and backward."""
        with self.marks.phase(FORWARD):
            with computing_in(self._precision, images.device):
                outputs = outputs_of(self.model, images)
            targets = self.task.targets(images, labels)  # in float32, as in an evaluation
            with computing_in(self._precision, images.device):
                loss = self.task.loss(outputs, targets)
        with self.marks.phase(BACKWARD):
            self._backward(loss / count if count > 1 else loss)
        return loss.detach()

    def _backward(self, loss: Tensor) -> None:
        loss.backward()  # type: ignore[no-untyped-call]


class ScaledAutograd(Autograd):
    """Gradients of a scaled loss, for float16, in which small gradients would be 0.

    `complete` divides the gradients by the scale and checks them. Where one of them is infinite or
    NaN, the optimizer's step is skipped and the scale is halved. After 2000 steps without such a
    gradient it is doubled.
    """

    def __init__(
        self,
        model: nn.Module,
        task: Task,
        optimizer: Optimizer,
        device: torch.device,
        marks: Marks = NO_MARKS,
    ) -> None:
        super().__init__(model, task, "fp16-mixed", marks)
        self._optimizer, self._scaler = optimizer, GradScaler(device.type)

    @property
    def scaler(self) -> GradScaler:
        """The scaler of the loss; its state is a part of a checkpoint."""
        return self._scaler

    def complete(self) -> None:
        """Divide the gradients by the scale, so that callbacks and clipping see the true ones."""
        self._scaler.unscale_(self._optimizer)

    def _backward(self, loss: Tensor) -> None:
        super()._backward(self._scaler.scale(loss))


def scaler_state(scaler: GradScaler | None) -> dict[str, float]:
    """Return the state of the loss's scaler; empty without one."""
    return scaler.state_dict() if scaler is not None else {}
