"""A user's own functions of a learning rate, and schedule classes."""

from __future__ import annotations

from torch.optim.lr_scheduler import LRScheduler


def halving(step: int, *, every: int = 2) -> float:
    return 0.5 ** (step // every)


def without_step() -> float:
    return 1.0


def of_two(step: int, other: int) -> float:
    return float(step + other)


class Falling(LRScheduler):
    """Its state gets a key in its first step."""

    def get_lr(self) -> list[float]:
        if self.last_epoch == 1:
            self.noted = 1
        return [
            group["initial_lr"] / (1 + self.last_epoch) for group in self.optimizer.param_groups
        ]
