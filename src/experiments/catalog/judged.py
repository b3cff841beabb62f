"""Ranked groups of runs in words: their figures, and the statements about them."""

from __future__ import annotations

import math
from collections.abc import Iterator

from experiments.catalog.groups import TEST, VALIDATION, Group, Grouping, is_lower_better
from experiments.sweep.statements import figure, in_points, judgement, lead, places, span, verb


def number(grouping: Grouping, value: float) -> str:
    """Return a value of the metric as text, accuracies in per cent; empty for NaN."""
    if math.isnan(value):
        return ""
    return f"{100 * value:.2f} %" if grouping.is_accuracy else f"{value:.4g}"


def mean_of(grouping: Grouping, group: Group) -> str:
    """Return the mean and the standard deviation of a group as text."""
    if not group.numbers:
        return "diverged" if group.diverged else ""
    if grouping.is_accuracy:
        return figure(group.mean, group.deviation)
    spread = "" if math.isnan(group.deviation) else f" ± {group.deviation:.2g}"
    return f"{group.mean:.4g}{spread}"


def interval_of(grouping: Grouping, place: int) -> str:
    """Return the 95 % interval of the mean at a place, counted from 0; empty without one."""
    interval = grouping.intervals[place]
    if interval is None:
        return ""
    if grouping.is_accuracy:  # an interval of few seeds may leave the range of an accuracy
        return span((max(0.0, interval[0]), min(1.0, interval[1])))
    return f"{interval[0]:.4g} to {interval[1]:.4g}"


def against_best(grouping: Grouping, place: int) -> str:
    """Return the result of the test against the best at a place, counted from 0."""
    found = grouping.comparison
    if place >= len(grouping.compared):
        return ""
    if place == 0:
        return "the best" if len(grouping.groups) > 1 else ""
    if found is None:
        return "untested"
    p_value = float(found.p_value[place - 1])
    if math.isnan(p_value):
        return "untested"
    verdict = "worse" if found.worse[place - 1] else "not told apart"
    return f"{verdict} (p {'<' if p_value < 0.001 else '='} {max(p_value, 0.001):.3f})"


def statements(grouping: Grouping) -> Iterator[str]:
    """Yield sentences about the ranking, the most important first."""
    found, compared, unit = grouping.comparison, grouping.compared, grouping.unit
    if found is not None:
        first, second = compared[:2]
        gap = abs(first.mean - second.mean)
        shown, noun = (in_points, " points") if grouping.is_accuracy else (_short, "")
        yield judgement(found, [len(group.numbers) for group in compared], unit)
        yield lead(found, gap, shown, noun, unit)
    elif len(compared) > 1:
        yield (
            "The noise is unknown, as no two groups have a second run; the order may be chance: "
            "add seeds, for example seed=0,1,2"
        )
    diverged = [place for place, each in enumerate(grouping.groups, 1) if each.diverged]
    if diverged and compared:
        yield f"{places(diverged)} {verb(diverged, 'rank')} last because of diverged runs"
    yield from _about_choices(grouping)
    yield from _left_out(grouping)
    if any(grouping.intervals):
        yield (
            f"± is the standard deviation over the {unit}; the range is the 95 % interval of the "
            "mean (Student's t); p-values are corrected by Holm's method"
            + ("; a spread below the rounding of accuracies counts as that" * grouping.is_accuracy)
        )


def _about_choices(grouping: Grouping) -> Iterator[str]:
    if grouping.beside:
        yield f"The runs of a group also differ in {', '.join(grouping.beside)}"
    if "data" in {*grouping.keys, *grouping.beside}:
        yield "The runs differ in their data, so their metrics measure different tasks"
    if grouping.metric == TEST and len(grouping.groups) > 1:
        yield (
            "Ranked by the test images, so the best figure is too high; set data.validation_size "
            "to rank by validation images"
        )
    elif grouping.metric not in {TEST, VALIDATION}:
        yield f"{'Lower' if is_lower_better(grouping.metric) else 'Higher'} is better"


def _left_out(grouping: Grouping) -> Iterator[str]:
    counts = {
        "without a result": grouping.unfinished,
        "without a validation split": grouping.without_split,
        "without a finite value": grouping.without_metric,
        "older than another run with the same values": grouping.older,
    }
    told = [f"{count} {reason}" for reason, count in counts.items() if count]
    if told:
        yield f"Left out: {', '.join(told)}"


def _short(value: float) -> str:
    return f"{value:.4g}"
