"""The rules by which results are ranked: settings of a sweep, and groups of any runs."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from experiments.registry.objective import Measure

if TYPE_CHECKING:
    from experiments.sweep.comparison import Comparison

Interval = tuple[float, float]


def mean_and_deviation(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean and the standard deviation (n - 1); NaN for too few values."""
    mean = statistics.fmean(values) if values else math.nan
    return mean, statistics.stdev(values) if len(values) > 1 else math.nan


@dataclass(frozen=True)
class Sample:
    """Runs that are ranked as one, by the mean of a measure over them."""

    numbers: Mapping[Any, float]
    """the finite value of each run that has not diverged, by the run's block, such as its seed;
    runs of one block form a pair in a comparison"""
    diverged: int
    """the number of its runs that diverged"""
    not_finite: int
    """the number of its other runs whose value is NaN or infinite"""

    @cached_property
    def mean(self) -> float:
        """The mean of its numbers; NaN without any."""
        return mean_and_deviation(list(self.numbers.values()))[0]

    @cached_property
    def deviation(self) -> float:
        """The standard deviation (n - 1) of its numbers; NaN for fewer than two."""
        return mean_and_deviation(list(self.numbers.values()))[1]

    @property
    def lacking(self) -> int:
        """The number of its runs without a number; the mean over the others would flatter it."""
        return self.diverged + self.not_finite


S = TypeVar("S", bound=Sample)


def ordered(samples: Iterable[S], measure: Measure) -> list[S]:
    """Return samples ranked by their means; those with a run without a number come last.

    Equal samples stay in their order.
    """

    def place(sample: Sample) -> tuple[float, float]:
        share = sample.lacking / (sample.lacking + len(sample.numbers))
        return share, -measure.sign * sample.mean if sample.numbers else 0

    return sorted(samples, key=place)


def compared(samples: Iterable[S]) -> tuple[S, ...]:
    """Return the samples whose runs all have a number, which come first in the order."""
    return tuple(sample for sample in samples if not sample.lacking)


def tested(
    samples: Sequence[Sample], measure: Measure, *, counts: bool
) -> tuple[tuple[Interval | None, ...], Comparison | None]:
    """Return the 95 % interval of each mean, and the tests of the first sample against the others.

    Args:
        samples: in their order.
        measure: the measure of their numbers.
        counts: whether the numbers are counts of one set of images, and so have a rounding error.

    Returns:
        The intervals, None for fewer than two numbers or a sample that is not compared; and the
        comparison of the compared samples, None if it has no test.
    """
    found: list[Interval | None] = [None] * len(samples)
    able = compared(samples)
    if all(len(sample.numbers) < 2 for sample in able):
        return tuple(found), None
    import numpy as np

    from experiments.sweep.comparison import compare, intervals

    blocks = sorted({block for sample in able for block in sample.numbers})
    table = [[sample.numbers.get(block, np.nan) for block in blocks] for sample in able]
    values = measure.sign * np.array(table)
    for place, ends in enumerate(zip(*intervals(values, counts=counts), strict=True)):
        if not np.isnan(ends[0]):
            low, high = sorted(measure.sign * float(end) for end in ends)
            if measure.is_share:  # an interval of few seeds may leave the range of a share
                low, high = max(0.0, low), min(1.0, high)
            found[place] = low, high
    tests = compare(values, counts=counts) if len(able) > 1 else None
    return tuple(found), tests if tests is not None and tests.tests else None
