"""The position of a run in its training, and the log of its epochs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

Log = Callable[[Mapping[str, float], int], None]
"""takes the metrics of an epoch, and the epoch, counted from 1"""


@dataclass
class Position:
    """The position of a run in its training.

    `fit` advances it. Copies of the position, the model, the optimizer, the schedule and
    `random_state` suffice to resume a run.
    """

    epoch: int = 1
    """the current epoch, counted from 1; one more than the last when all are done"""
    batches: int = 0
    """the number of batches trained in the current epoch"""
    loss: float = 0.0
    """the sum of the losses of these batches, exactly as on the device"""
    lr: float = 0.0
    """the learning rate at the beginning of the epoch"""
    seconds: float = 0.0
    """the training time of these batches, in seconds"""
    steps: int = 0
    """the number of optimizer steps since the first epoch"""
    stopped: bool = False
    """whether the training ends before its last epoch"""
