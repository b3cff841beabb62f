"""The exponential moving average of the weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from experiments.callbacks.callback import Callback, Training


class ExponentialMovingAverage(Callback):
    """Evaluates, tests and keeps a moving average of the weights in place of the last weights.

    After each optimizer step, average = d * average + (1 - d) * weight. The training itself goes on
    with the model's own weights.

    The average helps where the last weights are noisy, as with a large constant learning rate: see
    Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992, and
    Izmailov et al., "Averaging weights leads to wider optima and better generalization", 2018.
    """

    def __init__(
        self,
        *,
        decay: float = 0.999,
        warmup: bool = True,
        start_step: int = 0,
        use_buffers: bool = True,
    ) -> None:
        """Choose the average.

        Args:
            decay: d, at least 0 and less than 1.
            warmup: whether d is at most (1 + n) / (10 + n) at the n-th averaged step, so that the
                initial weights do not dominate a short training; as in TensorFlow's
                `ExponentialMovingAverage`.
            start_step: the number of steps before the average begins; until then it equals the
                weights.
            use_buffers: whether buffers such as the statistics of batch normalisation are averaged
                too; whole numbers never are.

        Raises:
            ValueError: a number is out of its range.
        """
        if not 0 <= decay < 1:
            raise ValueError(f"decay={decay}: it should be at least 0 and less than 1")
        if start_step < 0:
            raise ValueError(f"start_step={start_step}: it should be at least 0")
        self._decay, self._warmup = decay, warmup
        self._start_step, self._use_buffers = start_step, use_buffers

    def on_fit_start(self, training: Training) -> None:
        """Begin with the present weights."""
        model = training.model
        found: dict[str, Tensor] = dict(model.named_parameters())
        if self._use_buffers:
            kept = model.state_dict().keys()  # a buffer may be no part of the state
            found |= {
                name: buffer
                for name, buffer in model.named_buffers()
                if name in kept and buffer.is_floating_point()
            }
        self._names, self._weights = list(found), list(found.values())
        self._averages = [each.detach().clone() for each in self._weights]

    def decay_at(self, step: int) -> float:
        """Return d at a step, counted from 1; 0 before the average begins."""
        averaged = step - self._start_step
        if averaged <= 0:
            return 0.0
        return min(self._decay, (1 + averaged) / (10 + averaged)) if self._warmup else self._decay

    @torch.no_grad()
    def on_batch_end(self, training: Training, loss: Tensor) -> None:
        """Move the averages towards the weights."""
        decay = self.decay_at(training.step)
        if decay:
            torch._foreach_lerp_(self._averages, self._weights, 1 - decay)
        else:
            torch._foreach_copy_(self._averages, self._weights)

    def weights(self) -> Mapping[str, Tensor]:
        """Return the averages by the names of the weights."""
        return dict(zip(self._names, self._averages, strict=True))

    def state_dict(self) -> dict[str, Any]:
        """Return the averages by the names of the weights."""
        return dict(self.weights())

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore averages."""
        torch._foreach_copy_(self._averages, [state[name] for name in self._names])
