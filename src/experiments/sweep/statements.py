"""Statements in words about figures and their comparison."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from experiments.sweep.comparison import Comparison

_EQUAL = 1e-9  # a difference of means, far below one image
_RANGES = 8  # ranges of places that a sentence names


def mean_and_deviation(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean and the standard deviation (n - 1); NaN for too few values."""
    mean = statistics.fmean(values) if values else math.nan
    return mean, statistics.stdev(values) if len(values) > 1 else math.nan


def figure(mean: float, deviation: float) -> str:
    """Return a mean and its standard deviation, 0 to 1, as percentages."""
    return (
        f"{100 * mean:.2f} %"
        if math.isnan(deviation)
        else f"{100 * mean:.2f} ± {100 * deviation:.2f} %"
    )


def span(interval: tuple[float, float]) -> str:
    """Return an interval, 0 to 1, as percentages."""
    return f"{100 * interval[0]:.2f} to {100 * interval[1]:.2f} %"


def in_points(share: float) -> str:
    """Return a difference of shares in points, such as `2.19`."""
    return f"{100 * share:.2f}"


def places(numbers: Sequence[int]) -> str:
    """Return ascending places as words, such as `1, 2 and 4 to 6`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    told: list[str] = []
    for run in runs:
        told += [f"{run[0]} to {run[-1]}"] if len(run) > 2 else [str(number) for number in run]
    if len(told) > _RANGES:
        told = [*told[:_RANGES], "further places"]
    return " and ".join(filter(None, [", ".join(told[:-1]), told[-1]]))


def judgement(found: Comparison, counts: Sequence[int], unit: str = "seeds") -> str:
    """Return a sentence that tells which places differ from the first beyond noise.

    Args:
        found: the comparison of the ranked groups with the first.
        counts: the number of values of each group.
        unit: the word for the values.
    """
    same, worse, untested = [1], list[int](), list[int]()
    for place, (p_value, is_worse) in enumerate(zip(found.p_value, found.worse, strict=True), 2):
        (untested if math.isnan(p_value) else worse if is_worse else same).append(place)
    numbers = sorted({counts[place - 1] for place in [*same, *worse]})
    number = f"{numbers[0]} to {numbers[-1]}" if len(numbers) > 1 else f"{numbers[0]}"
    told = []
    if len(same) > 1:
        told.append(f"{places(same)} cannot be told apart with {number} {unit}")
        if alone := [place for place in same if place > 1 and found.worse_alone[place - 2]]:
            told[0] += f" (tested alone, {places(alone)} would be worse)"
        told += [f"{places(worse)} {verb(worse, 'are')} worse"] if worse else []
    elif worse:
        told.append(f"1 is better than {places(worse)} beyond the noise of {number} {unit}")
    if untested:
        told.append(
            f"{places(untested)} cannot be compared with 1, for lack of a second {unit[:-1]}"
        )
    return "; ".join(told)


def lead(
    found: Comparison,
    gap: float,
    number: Callable[[float], str] = in_points,
    noun: str = " points",
    unit: str = "seeds",
) -> str:
    """Return a sentence about the lead of the first place over the second.

    Args:
        found: the comparison of the ranked groups with the first.
        gap: the mean of the first less that of the second.
        number: shows a difference.
        noun: the word after it.
        unit: the word for the values of a group.
    """
    from experiments.sweep.comparison import MOST_SEEDS, seeds_needed

    pairs, p_value = found.with_best, found.p_value[0]
    difference, margin = float(pairs.difference[0]), float(pairs.margin[0])
    if math.isnan(p_value):
        return f"1 leads 2 by {number(gap)}{noun}"
    paired = f"paired by {unit[:-1]}" if pairs.paired[0] else f"without pairs of a {unit[:-1]}"
    low, high = number(difference - margin), number(difference + margin)
    told = f"1 leads 2 by {number(difference)}{noun}, 95 % interval {low} to {high} ({paired})"
    if found.worse[0]:
        return told
    if abs(difference) < _EQUAL:
        return "1 and 2 have the same mean; the one begun first comes first"
    if difference <= 0:
        return f"{told}; no number of {unit} would show a lead if this difference were true"
    needed = seeds_needed(difference, float(pairs.deviation[0]), found.level)
    many = f"about {needed}" if needed else f"more than {MOST_SEEDS:,}"
    return (
        f"{told}; {many} {unit} would be needed to tell 1 and 2 apart if this difference and "
        "spread were true (power 80 %)"
    )


def verb(subjects: Sequence[int], plural: str) -> str:
    """Return a verb in the number of its subjects."""
    return plural if len(subjects) > 1 else {"are": "is", "rank": "ranks"}[plural]
