"""Statements in words about figures and their comparison."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from experiments.registry.objective import Measure
from experiments.sweep.ranking import Sample, compared

if TYPE_CHECKING:
    from experiments.sweep.comparison import Comparison

_RANGES = 8  # ranges of places that a sentence names


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


def lead(found: Comparison, gap: float, measure: Measure, unit: str = "seeds") -> str:
    """Return a sentence about the lead of the first place over the second.

    Args:
        found: the comparison of the ranked groups with the first.
        gap: the difference of their means, positive if the first is better.
        measure: the measure of the means.
        unit: the word for the values of a group.
    """
    from experiments.sweep.comparison import MOST_SEEDS, seeds_needed

    pairs, p_value = found.with_best, found.p_value[0]
    difference, margin = float(pairs.difference[0]), float(pairs.margin[0])
    if math.isnan(p_value):
        return f"1 leads 2 by {measure.difference(gap)}{measure.points}"
    paired = f"paired by {unit[:-1]}" if pairs.paired[0] else f"without pairs of a {unit[:-1]}"
    low, high = measure.difference(difference - margin), measure.difference(difference + margin)
    told = f"1 leads 2 by {measure.difference(difference)}{measure.points}"
    told += f", 95 % interval {low} to {high} ({paired})"
    if found.worse[0]:
        return told
    if difference == 0:
        return "1 and 2 have the same mean; the one begun first comes first"
    if difference <= 0:
        return f"{told}; no number of {unit} would show a lead if this difference were true"
    needed = seeds_needed(difference, float(pairs.deviation[0]), found.level)
    many = f"about {needed}" if needed else f"more than {MOST_SEEDS:,}"
    return (
        f"{told}; {many} {unit} would be needed to tell 1 and 2 apart if this difference and "
        "spread were true (power 80 %)"
    )


def about_the_ranking(
    ranked: Sequence[Sample], found: Comparison | None, measure: Measure, unit: str = "seeds"
) -> Iterator[str]:
    """Yield sentences about the lead and its noise, and about the last places.

    Args:
        ranked: the samples, in their order.
        found: the comparison of those whose runs all have a number.
        measure: the measure of their means.
        unit: the word for the values of a sample.
    """
    able = compared(ranked)
    if found is not None:
        yield judgement(found, [len(sample.numbers) for sample in able], unit)
        yield lead(found, measure.sign * (able[0].mean - able[1].mean), measure, unit)
    elif len(able) > 1:
        yield (
            f"The noise is unknown with one {unit[:-1]} per setting, and the order may be chance; "
            "add seeds, for example seed=0,1,2"
        )
    last = range(len(able) + 1, len(ranked) + 1)
    if last and able:
        is_diverged = all(not sample.not_finite for sample in ranked)
        reason = "diverged runs" if is_diverged else "runs without a finite value"
        yield f"{places(last)} {verb(last, 'rank')} last because of {reason}"


def about_the_images(measure: Measure, samples: int) -> Iterator[str]:
    """Yield a warning if the test images have chosen the first of several samples."""
    if measure.images == "test" and samples > 1:
        yield (
            "Ranked by the test images, so the best figure is too good; set data.validation_size, "
            "for example to a tenth of the training images, to rank by validation images"
        )


def about_the_loss(measure: Measure, varied: Iterable[str]) -> Iterator[str]:
    """Yield a warning if the loss is compared of runs that differ in their loss function.

    Args:
        measure: the measure.
        varied: the keys in which the runs differ.
    """
    parts = ("task.loss", "task/loss")
    differ = any(key == "task" or key.startswith(parts) for key in varied)
    if measure.name.endswith("loss") and differ:
        yield "The runs differ in their loss function, so their losses measure different things"


def against_best(ranked: Sequence[Sample], found: Comparison | None, place: int) -> str:
    """Return the result of the test of a sample against the first.

    Args:
        ranked: the samples, in their order.
        found: the comparison of those whose runs all have a number.
        place: the place of the sample, counted from 0.

    Returns:
        Such as `worse (p = 0.003)`; empty for the only sample, and for one that is not compared.
    """
    if ranked[place].lacking or len(ranked) == 1:
        return ""
    if place == 0:
        return "the best"
    p_value = math.nan if found is None else float(found.p_value[place - 1])
    if found is None or math.isnan(p_value):
        return "untested"
    verdict = "worse" if found.worse[place - 1] else "not told apart"
    return f"{verdict} (p {'<' if p_value < 0.001 else '='} {max(p_value, 0.001):.3f})"


def verb(subjects: Sequence[int], plural: str) -> str:
    """Return a verb in the number of its subjects."""
    return plural if len(subjects) > 1 else {"are": "is", "rank": "ranks"}[plural]
