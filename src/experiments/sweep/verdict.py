"""The verdict of a sweep: the best setting, its lead, and whether the lead is more than noise.

A sentence names a setting by its place in the ranking.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from experiments.composition.run_names import key_of
from experiments.sweep.effects import Effect, effects_of
from experiments.sweep.ranking import Interval, compared, mean_and_deviation, tested
from experiments.sweep.report import JobResult
from experiments.sweep.settings import Ranking, Setting, rank
from experiments.sweep.statements import (
    about_the_images,
    about_the_loss,
    about_the_ranking,
    against_best,
)

if TYPE_CHECKING:
    from experiments.sweep.comparison import Comparison

_NAMED = 8  # settings that a sentence names
_KEYS, _VALUES = 8, 5  # in the lines about effects


@dataclass(frozen=True)
class Verdict:
    """The ranked settings of a sweep, and their comparison with the best."""

    ranking: Ranking
    intervals: tuple[Interval | None, ...]
    """the 95 % interval of each ranked mean; None for one seed, or a run without a value"""
    comparison: Comparison | None
    """of the settings whose runs all have a value; None if it has no test"""
    effects: tuple[Effect, ...]

    @property
    def compared(self) -> tuple[Setting, ...]:
        """The settings whose runs all have a value, which come first."""
        return compared(self.ranking.settings)

    def against_best(self, place: int) -> str:
        """Return the result of the test of the setting at a place, counted from 0."""
        return against_best(self.ranking.settings, self.comparison, place)


def judge(results: Sequence[JobResult]) -> Verdict:
    """Rank the settings of a sweep, and compare them with the best."""
    ranking = rank(results)
    measure = ranking.measure
    effects = tuple(effects_of(compared(ranking.settings), measure))
    intervals, comparison = tested(ranking.settings, measure, counts=measure.is_share)
    return Verdict(ranking, intervals, comparison, effects)


def sentences(verdict: Verdict) -> Iterator[str]:
    """Yield the statements about the ranking, the most important first."""
    ranking, found = verdict.ranking, verdict.comparison
    if ranking.settings and ranking.best is None:
        yield "No setting is the best, as each has a run that diverged or has no finite value"
    yield from about_the_ranking(ranking.settings, found, ranking.measure)
    yield from _about_the_images(ranking)
    if len({each.results[0].job.config.data.validation_size for each in ranking.settings}) > 1:
        yield "Validation splits of different sizes hold different images, so compare with care"
    overrides = (text for each in ranking.settings for text in each.results[0].job.varied)
    yield from about_the_loss(ranking.measure, map(key_of, overrides))
    name = ranking.measure.name.removeprefix(f"{ranking.measure.images} ")
    if ranking.without_split:
        yield (
            f"{_settings(ranking.without_split)} without a validation split "
            f"{_are(ranking.without_split)} not ranked: the test {name} cannot be compared with "
            f"the validation {name}"
        )
    for other, count in ranking.others.items():
        yield (
            f"{_settings(count)} with the objective {other} {_are(count)} not ranked: {other} "
            f"cannot be compared with {name}"
        )
    if ranking.unfinished:
        names = [setting.name for setting in ranking.unfinished[:_NAMED]]
        more = len(ranking.unfinished) - len(names)
        names += [f"and {_settings(more)} more"] if more else []
        yield f"No finished run and no place: {', '.join(names)}"


def method(verdict: Verdict) -> Iterator[str]:
    """Yield an explanation of the figures."""
    if any(verdict.intervals):
        yield (
            "± is the standard deviation over the seeds; the range is the 95 % interval of the "
            "mean (Student's t)"
        )
    found = verdict.comparison
    if found is None:
        return
    kinds = sorted({"paired by seed" if p else "Welch's" for p in found.with_best.paired})
    if found.all_pairs:
        yield (
            f"Tests: t-tests ({', '.join(kinds)}) at the 5 % level with Holm's correction for "
            f"{found.tests:,} pair{'s' if found.tests > 1 else ''}"
        )
    else:
        yield (
            f"Tests: t-tests ({', '.join(kinds)}) against the best only, as there are "
            f"{found.tests:,} pairs; 5 % level with Bonferroni's correction for all of them"
        )


def about_effects(verdict: Verdict) -> Iterator[str]:
    """Yield a line for each of the keys that explain most, and for their combinations."""
    if not verdict.effects:
        return
    for effect in verdict.effects[:_KEYS]:
        shown = verdict.ranking.measure.shown
        told = [f"{value or 'unset'} {shown(mean)}" for value, mean in effect.means[:_VALUES]]
        if len(effect.means) > _VALUES:
            told.append(f"and {len(effect.means) - _VALUES} more values")
        yield f"{effect.key} explains {100 * effect.share:.0f} %: {', '.join(told)}"
    if len(verdict.effects) > _KEYS:
        yield f"{len(verdict.effects) - _KEYS} more keys explain less"
    # In a whole grid the shares of the keys and of their combinations add up to 1.
    if math.prod(len(effect.means) for effect in verdict.effects) == len(verdict.compared):
        rest = 1 - sum(effect.share for effect in verdict.effects)
        yield f"combinations of keys explain {100 * abs(rest):.0f} %"


def counts(results: Sequence[JobResult]) -> dict[str, int]:
    """Return the numbers of jobs: `jobs`, `jobs_finished`, `jobs_failed`, `jobs_diverged`.

    A job counts as failed if it has not finished, for any reason; a diverged job has finished.
    """
    finished = sum(result.finished for result in results)
    return {
        "jobs": len(results),
        "jobs_finished": finished,
        "jobs_failed": len(results) - finished,
        "jobs_diverged": sum(result.diverged for result in results),
    }


def _about_the_images(ranking: Ranking) -> Iterator[str]:
    if ranking.best is None:
        return
    yield from about_the_images(ranking.measure, len(ranking.settings))
    if ranking.measure.images == "validation":
        on_test = ranking.best.ranked_by.measure(validated=False)
        key = ranking.best.ranked_by.keys[-1]
        runs = [result.run for result in ranking.best.finished if result.run]
        values = [run.metrics[key] for run in runs if key in run.metrics]
        if values:
            told = on_test.figure(*mean_and_deviation(values))
            yield f"T{on_test.name[1:]} of 1: {told} (n={len(values)})"


def _settings(count: int) -> str:
    return f"{count} setting{'s' if count > 1 else ''}"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
