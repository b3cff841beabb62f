"""Monitoring: the best epoch by a validation metric, and when to stop waiting for a better one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass
class Best:
    """The best epoch up to now; the first of several that are equally good.

    An epoch is an improvement if it is better by more than `min_delta`; NaN never is.
    """

    monitor: Literal["val_loss", "val_accuracy"]
    patience: int | None
    min_delta: float
    epoch: int = 0
    """the best epoch, counted from 1; 0 before the first"""
    metrics: dict[str, float] = field(default_factory=dict)
    """its `val_loss` and `val_accuracy`"""

    def update(self, metrics: Mapping[str, float], epoch: int) -> bool:
        """Take an epoch's metrics; return whether it is the best."""
        sign = -1 if self.monitor == "val_loss" else 1
        value = sign * metrics[self.monitor]
        best = sign * self.metrics[self.monitor] if self.metrics else float("-inf")
        if not value > best + self.min_delta:
            return False
        self.epoch = epoch
        self.metrics = {key: metrics[key] for key in ("val_loss", "val_accuracy")}
        return True

    def exhausted(self, epoch: int) -> bool:
        """Return whether patience has run out after an epoch."""
        return self.patience is not None and epoch - self.epoch >= self.patience
