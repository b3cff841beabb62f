"""The accuracy and the loss of one run, or of several as an ensemble."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import nll_loss

from experiments.inference.trained import Trained


@dataclass(frozen=True)
class Score:
    """The accuracy, 0 to 1, and the mean cross-entropy in nats."""

    accuracy: float
    loss: float


@dataclass(frozen=True)
class Scores:
    """The scores on some images."""

    all: Score
    """of the mean of the runs' probabilities; for one run, its own"""
    runs: Sequence[Score]
    """of each run"""

    @property
    def mean(self) -> float:
        """The mean accuracy of the runs."""
        return math.fsum(each.accuracy for each in self.runs) / len(self.runs)

    @property
    def mean_loss(self) -> float:
        """The mean loss of the runs."""
        return math.fsum(each.loss for each in self.runs) / len(self.runs)

    @property
    def best(self) -> float:
        """The best accuracy of a run."""
        return max(each.accuracy for each in self.runs)


def scores_of(runs: Sequence[Trained], images: Tensor, labels: Tensor) -> Scores:
    """Return the scores of runs that share their classes.

    Args:
        runs: one or several.
        images: bytes (N, H, W) or (N, C, H, W).
        labels: int64 (N).

    Raises:
        InputError: the code of a model fails.
    """
    # In double, so that rounding makes no ties between the largest probabilities.
    logs = [run.logits(images).double().log_softmax(1) for run in runs]
    mean = torch.stack(logs).logsumexp(0) - math.log(len(logs))
    return Scores(_score(mean, labels), [_score(each, labels) for each in logs])


def _score(logs: Tensor, labels: Tensor) -> Score:
    right = int((logs.argmax(1) == labels).sum())
    return Score(right / len(labels), float(nll_loss(logs, labels)))
