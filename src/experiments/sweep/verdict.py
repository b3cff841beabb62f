"""The verdict of a sweep: the best setting, its lead, and whether the lead is more than noise.

A sentence names a setting by its place in the ranking.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from experiments.sweep.effects import Effect, effects_of
from experiments.sweep.report import JobResult
from experiments.sweep.settings import Ranking, Setting, rank
from experiments.sweep.statements import figure, judgement, lead, mean_and_deviation, places, verb

if TYPE_CHECKING:
    from experiments.sweep.comparison import Comparison

_NAMED = 8  # settings that a sentence names
_KEYS, _VALUES = 8, 5  # in the lines about effects


@dataclass(frozen=True)
class Verdict:
    """The ranked settings of a sweep, and their comparison with the best."""

    ranking: Ranking
    intervals: tuple[tuple[float, float] | None, ...]
    """the 95 % interval of each ranked mean, 0 to 1; None for one seed or a diverged run"""
    comparison: Comparison | None
    """of the settings without diverged runs; None if it has no test"""
    effects: tuple[Effect, ...]

    @property
    def compared(self) -> tuple[Setting, ...]:
        """The settings without diverged runs, which come first."""
        return tuple(setting for setting in self.ranking.settings if not setting.diverged)


def judge(results: Sequence[JobResult]) -> Verdict:
    """Rank the settings of a sweep, and compare them with the best."""
    ranking = rank(results)
    compared = [setting for setting in ranking.settings if not setting.diverged]
    effects = tuple(effects_of(compared))
    intervals: list[tuple[float, float] | None] = [None] * len(ranking.settings)
    if all(len(setting.values) < 2 for setting in compared):
        return Verdict(ranking, tuple(intervals), None, effects)
    import numpy as np

    from experiments.sweep import comparison

    seeds = sorted({seed for setting in compared for seed in setting.values})
    values = np.array([[each.values.get(seed, np.nan) for seed in seeds] for each in compared])
    for place, (low, high) in enumerate(zip(*comparison.intervals(values), strict=True)):
        if not np.isnan(low):  # an interval of few seeds may leave the range of an accuracy
            intervals[place] = max(0.0, float(low)), min(1.0, float(high))
    found = comparison.compare(values) if len(compared) > 1 else None
    return Verdict(ranking, tuple(intervals), found if found and found.tests else None, effects)


def sentences(verdict: Verdict) -> Iterator[str]:
    """Yield the statements about the ranking, the most important first."""
    ranking, found = verdict.ranking, verdict.comparison
    if ranking.settings and ranking.best is None:
        yield "No setting is the best, as each has a diverged run"
    if found is not None:
        yield judgement(found, [len(setting.values) for setting in verdict.compared])
        first, second = verdict.compared[:2]
        yield lead(found, first.mean - second.mean)
    elif len(verdict.compared) > 1:
        yield (
            "The noise is unknown with one seed per setting, and the order may be chance; add "
            "seeds, for example seed=0,1,2"
        )
    diverged = range(len(verdict.compared) + 1, len(ranking.settings) + 1)
    if diverged and ranking.best is not None:
        yield f"{places(diverged)} {verb(diverged, 'rank')} last because of diverged runs"
    yield from _about_the_images(ranking)
    if len({each.results[0].job.config.data.validation_size for each in ranking.settings}) > 1:
        yield "Validation splits of different sizes hold different images, so compare with care"
    if ranking.without_split:
        yield (
            f"{_settings(ranking.without_split)} without a validation split "
            f"{'is' if ranking.without_split == 1 else 'are'} not ranked: test accuracies cannot "
            "be compared with validation accuracies"
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
        told = [f"{value or 'unset'} {100 * mean:.2f} %" for value, mean in effect.means[:_VALUES]]
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
    if ranking.measure == "validation accuracy":
        runs = [result.run for result in ranking.best.finished if result.run]
        tested = [run.metrics["test_accuracy"] for run in runs if "test_accuracy" in run.metrics]
        if tested:
            yield f"Test accuracy of 1: {figure(*mean_and_deviation(tested))} (n={len(tested)})"
    elif len(ranking.settings) > 1:
        yield (
            "Ranked by the test images, so the best figure is too high; set data.validation_size, "
            "for example to a tenth of the training images, to rank by validation images"
        )


def _settings(count: int) -> str:
    return f"{count} setting{'s' if count > 1 else ''}"
