"""Gradients of a batch's loss. Shapes: B batch, C channels, H and W pixels."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor, nn

from experiments.tasks import Task


class Gradients(Protocol):
    """Computes losses, and leaves their gradients in the parameters."""

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

    def complete(self) -> None:
        """End the gradients of an optimizer step, before callbacks and the optimizer see them."""


class Autograd:
    """Gradients by torch's autograd."""

    def __init__(self, model: nn.Module, task: Task) -> None:
        self._model, self._task = model, task

    def add(self, images: Tensor, labels: Tensor, count: int) -> Tensor:
        """Run the model forward and backward."""
        loss = self._task.loss(self._model(images), self._task.targets(images, labels))
        (loss / count if count > 1 else loss).backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def complete(self) -> None:
        """Do nothing: the gradients are complete after each batch."""
