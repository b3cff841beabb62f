"""Steps of learning-rate schedules, with the metric for those that look at one."""

from __future__ import annotations

from collections.abc import Mapping

from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau


def step_schedule(schedule: LRScheduler, metrics: Mapping[str, float], monitor: str) -> None:
    """Step a schedule after an epoch with these metrics."""
    if isinstance(schedule, ReduceLROnPlateau):
        schedule.step(metrics[monitor])
    else:
        schedule.step()
