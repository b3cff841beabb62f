"""Monitoring: find the best epoch by a validation metric, and end the wait for a better one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass
class Best:
    """The best epoch up to now; the first of several equal ones.

    An epoch is the best if its metric is better than the best one by more than `min_delta`; NaN
    never is.
    """

    monitor: str
    """the metric to compare, `val_<name>`"""
    maximize: bool
    """whether a larger value is better"""
    patience: int | None
    """the number of epochs without improvement before the run stops; None for never"""
    min_delta: float
    """the change that an improvement must exceed, 0 or more"""
    epoch: int = 0
    """the best epoch, counted from 1; 0 before the first"""
    metrics: dict[str, float] = field(default_factory=dict)
    """the `val_…` metrics of the best epoch"""

    def update(self, metrics: Mapping[str, float], epoch: int) -> bool:
        """Compare an epoch, counted from 1, with the best; return whether it is the new best."""
        if not self.is_improved_by(metrics):
            return False
        self.epoch = epoch
        self.metrics = {key: metrics[key] for key in metrics if key.startswith("val_")}
        return True

    def is_improved_by(self, metrics: Mapping[str, float]) -> bool:
        """Return whether an epoch with these metrics would be the new best."""
        sign = 1 if self.maximize else -1
        best = sign * self.metrics[self.monitor] if self.metrics else float("-inf")
        return sign * metrics[self.monitor] > best + self.min_delta

    def exhausted(self, epoch: int) -> bool:
        """Return whether patience has run out after an epoch, counted from 1."""
        return self.patience is not None and epoch - self.epoch >= self.patience
