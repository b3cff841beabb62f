"""The norm of the gradients, per epoch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from experiments.callbacks.callback import Callback, Training


class GradientNorm(Callback):
    """Logs the L2 norm of all gradients of an optimizer step together, before they are clipped.

    `grad_norm` is the mean over the steps of an epoch, and `grad_norm_max` the largest. They show
    that a training is about to diverge, and which bound `trainer.gradient_clip_val` may have: see
    Pascanu et al., "On the difficulty of training recurrent neural networks", 2013, section 3.2.
    """

    def on_fit_start(self, training: Training) -> None:
        """Begin an epoch without steps."""
        self._parameters = list(training.model.parameters())
        self._sum = torch.zeros((), device=self._parameters[0].device)
        self._max = torch.zeros_like(self._sum)
        self._steps = 0

    def on_before_step(self, training: Training) -> None:
        """Add the norm of a step; it stays on the device until the epoch ends."""
        gradients = [each.grad for each in self._parameters if each.grad is not None]
        # `torch.nn.utils.get_total_norm` computes the same numbers in twice the time.
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
        self._sum += norm
        self._max = torch.maximum(self._max, norm)
        self._steps += 1

    def on_epoch_end(self, training: Training, metrics: Mapping[str, float]) -> None:
        """Log the mean and the maximum, and begin the next epoch."""
        mean = float(self._sum) / self._steps
        training.log({"grad_norm": mean, "grad_norm_max": float(self._max)})
        self._sum, self._max = torch.zeros_like(self._sum), torch.zeros_like(self._max)
        self._steps = 0

    def state_dict(self) -> dict[str, Any]:
        """Return the sum, the maximum and the number of this epoch's steps."""
        return {"sum": self._sum, "max": self._max, "steps": self._steps}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the steps of an epoch whose training began in another process."""
        self._sum.copy_(state["sum"])
        self._max.copy_(state["max"])
        self._steps = int(state["steps"])
