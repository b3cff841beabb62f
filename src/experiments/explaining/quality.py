"""The quality of answers: by class, and of the confidence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

BINS = 15
"""of equal width, as in Guo et al., "On calibration of modern neural networks" (2017)"""


@dataclass(frozen=True)
class ClassQuality:
    """The quality of the answers about a class; a share of nothing is NaN."""

    precision: float
    """the share of the answers with this class that are right"""
    recall: float
    """the share of the images of this class that are answered right"""
    f1: float
    """the harmonic mean of both"""
    support: int
    """the number of images of the class"""


@dataclass(frozen=True)
class Bin:
    """The answers whose confidence lies between two limits, the lower one excluded."""

    low: float
    high: float
    count: int
    confidence: float
    """its mean, 0 to 1; NaN without answers, as is the accuracy"""
    accuracy: float

    @property
    def gap(self) -> float:
        """The distance of accuracy and confidence; NaN without answers."""
        return abs(self.accuracy - self.confidence)


@dataclass(frozen=True)
class Calibration:
    """The confidence of the answers beside their accuracy."""

    bins: Sequence[Bin]
    confidence: float
    """the mean confidence of all answers, 0 to 1"""
    accuracy: float

    @property
    def ece(self) -> float:
        """The expected calibration error: the mean gap of the bins, weighted by their answers."""
        total = sum(each.count for each in self.bins)
        return math.fsum(each.count * each.gap for each in self._filled) / total

    @property
    def worst(self) -> Bin:
        """The bin with the largest gap, which is the maximum calibration error."""
        return max(self._filled, key=lambda each: each.gap)

    @property
    def _filled(self) -> Sequence[Bin]:
        return [each for each in self.bins if each.count]


def by_class(counts: Sequence[Sequence[int]]) -> list[ClassQuality]:
    """Return the quality of each class.

    Args:
        counts: a row for each class, with the number of each answer.
    """
    answered = [sum(column) for column in zip(*counts, strict=True)]
    return [
        ClassQuality(
            _share(row[label], answered[label]),
            _share(row[label], sum(row)),
            _share(2 * row[label], answered[label] + sum(row)),
            sum(row),
        )
        for label, row in enumerate(counts)
    ]


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan


def calibration(confidences: Tensor, right: Tensor) -> Calibration:
    """Return the calibration of answers.

    Args:
        confidences: the probability of each answer, float (N), 0 to 1.
        right: whether each answer is right, bool (N).
    """
    values, hits = confidences.double(), right.double()
    limits = torch.linspace(0, 1, BINS + 1)  # in float, as the confidences are
    places = (torch.bucketize(confidences, limits) - 1).clamp(0, BINS - 1)
    counts = torch.bincount(places, minlength=BINS)
    sums = (torch.bincount(places, weights=each, minlength=BINS) for each in (values, hits))
    means = ((each / counts).tolist() for each in sums)
    bins = [
        Bin(low, high, *rest)
        for low, high, *rest in zip(
            limits[:-1].tolist(), limits[1:].tolist(), counts.tolist(), *means, strict=True
        )
    ]
    return Calibration(bins, float(values.mean()), float(hits.mean()))
