"""Metrics of a model's outputs, summed over batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor


class Metric(Protocol):
    """What a metric has; the metrics of torchmetrics have it too."""

    def update(self, outputs: Tensor, targets: Tensor, /) -> None:
        """Add a batch."""

    def compute(self) -> Tensor | float:
        """Return the value for all batches since `reset`, one number."""

    def reset(self) -> None:
        """Forget all batches."""


class Accuracy:
    """The share of examples whose largest logit is that of their label, 0 to 1."""

    def __init__(self) -> None:
        self._correct: Tensor | None = None
        self._total = 0

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        """Add logits (B, K) and labels int64 (B)."""
        correct = (outputs.argmax(1) == targets).sum()
        self._correct = correct if self._correct is None else self._correct + correct
        self._total += len(targets)

    def compute(self) -> float:
        """Return the accuracy; this waits for the device."""
        return float("nan") if self._correct is None else int(self._correct) / self._total

    def reset(self) -> None:
        """Forget all batches."""
        self._correct, self._total = None, 0


class OfAllExamples:
    """A metric from a function of the outputs and targets of all examples."""

    def __init__(self, function: Callable[[Tensor, Tensor], Tensor | float]) -> None:
        self._function = function
        self.__name__ = getattr(getattr(function, "func", function), "__name__", "the function")
        self._batches: list[tuple[Tensor, Tensor]] = []

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        """Keep a batch."""
        self._batches.append((outputs, targets))

    def compute(self) -> Tensor | float:
        """Return the function's value for all batches."""
        outputs, targets = (torch.cat(each) for each in zip(*self._batches, strict=True))
        return self._function(outputs, targets)

    def reset(self) -> None:
        """Forget all batches."""
        self._batches = []
