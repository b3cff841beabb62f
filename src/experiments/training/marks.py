"""Marks of the phases of a training step, for a profiler; without one they cost nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext

from torch import Tensor

DATA, FORWARD, BACKWARD, OPTIMIZER = "data", "forward", "backward", "optimizer"

_NOTHING = nullcontext()


class Marks:
    """Marks nothing; a subclass marks the phases of each step."""

    def phase(self, name: str) -> AbstractContextManager[object]:
        """Return the context of a phase: `FORWARD`, `BACKWARD` or `OPTIMIZER`."""
        del name
        return _NOTHING

    def batches(self, batches: Iterator[tuple[Tensor, Tensor]]) -> Iterator[tuple[Tensor, Tensor]]:
        """Return the batches; to make one is the phase `DATA`."""
        return batches

    def end_step(self) -> None:
        """End an optimizer step."""


NO_MARKS = Marks()
