"""Ranked groups of runs in words: the statements about them."""

from __future__ import annotations

from collections.abc import Iterator

from experiments.catalog.groups import Group, Grouping
from experiments.sweep import statements as words


def mean_of(grouping: Grouping, group: Group) -> str:
    """Return the mean and the standard deviation of a group as text."""
    if not group.numbers:
        return "diverged" if group.diverged else "no finite value"
    return grouping.measure.figure(group.mean, group.deviation)


def interval_of(grouping: Grouping, place: int) -> str:
    """Return the 95 % interval of the mean at a place, counted from 0; empty without one."""
    interval = grouping.intervals[place]
    return grouping.measure.span(interval) if interval else ""


def notes_of(group: Group) -> list[str]:
    """Return facts about the runs of a group that its mean does not show."""
    warned = sum("warning" in run.tags and not run.diverged for run in group.runs.values())
    counts = {
        "diverged": group.diverged,
        "without a finite value": group.not_finite,
        "of little use": warned,
    }
    return [f"{n} of {len(group.runs)} {fact}" for fact, n in counts.items() if n]


def against_best(grouping: Grouping, place: int) -> str:
    """Return the result of the test against the best at a place, counted from 0."""
    return words.against_best(grouping.groups, grouping.comparison, place)


def statements(grouping: Grouping) -> Iterator[str]:
    """Yield sentences about the ranking, the most important first."""
    measure, unit = grouping.measure, grouping.unit
    yield from words.about_the_ranking(grouping.groups, grouping.comparison, measure, unit)
    yield from _about_choices(grouping)
    yield from _left_out(grouping)
    if any(grouping.intervals):
        yield (
            f"± is the standard deviation over the {unit}; the range is the 95 % interval of the "
            "mean (Student's t); p-values are corrected by Holm's method"
            + ("; a spread below the rounding of accuracies counts as that" * measure.is_share)
        )


def _about_choices(grouping: Grouping) -> Iterator[str]:
    measure, differing = grouping.measure, {*grouping.keys, *grouping.beside}
    if grouping.beside:
        yield f"The runs of a group also differ in {', '.join(grouping.beside)}"
    if "data" in differing:
        yield "The runs differ in their data, so their metrics measure different tasks"
    yield from words.about_the_loss(measure, differing)
    yield from words.about_the_images(measure, len(grouping.groups))
    if measure.images is None or measure.direction == "minimize":
        yield f"{'Lower' if measure.direction == 'minimize' else 'Higher'} is better"


def _left_out(grouping: Grouping) -> Iterator[str]:
    counts = {
        "without a result": grouping.unfinished,
        **{f"with the objective {other}": count for other, count in grouping.others.items()},
        "without a validation split": grouping.without_split,
        "without the metric": grouping.without_metric,
        "older than another run with the same values": grouping.older,
    }
    told = [f"{count} {reason}" for reason, count in counts.items() if count]
    if told:
        yield f"Left out: {', '.join(told)}"
