"""The settings of a sweep, ranked: jobs that differ in the seed alone are one setting."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from experiments.redaction.hide import hidden
from experiments.registry.objective import Measure, Objective, most_frequent
from experiments.sweep.ranking import Sample, ordered
from experiments.sweep.report import JobResult


@dataclass(frozen=True)
class Setting(Sample):
    """The jobs of a sweep with the same values, apart from the seed, which is their block."""

    results: tuple[JobResult, ...]
    """in the order of the jobs' numbers"""

    @property
    def name(self) -> str:
        """The values that not all jobs share, in few words, without secrets."""
        return hidden(self.results[0].job.setting) or "all seeds"

    @property
    def finished(self) -> tuple[JobResult, ...]:
        """The results of its finished runs."""
        return tuple(result for result in self.results if result.finished)

    @property
    def ranked_by(self) -> Objective:
        """The objective of its runs."""
        return self.results[0].job.ranked_by

    @property
    def has_split(self) -> bool:
        """Whether its runs have a validation split, which then measures its numbers."""
        return bool(self.results[0].job.config.data.validation_size)

    @property
    def notes(self) -> tuple[str, ...]:
        """Facts about its runs that its mean does not show."""
        warnings = [each.run.warning for each in self.finished if each.run and not each.diverged]
        counts = {
            "diverged": self.diverged,
            "without a finite value": self.not_finite,
            **Counter(text.partition(":")[0] for text in warnings if text),
            "not finished": len(self.results) - len(self.finished),
        }
        return tuple(
            f"{count} of {len(self.results)} {fact}" for fact, count in counts.items() if count
        )


@dataclass(frozen=True)
class Ranking:
    """The settings of a sweep, ranked by the mean over their seeds."""

    measure: Measure
    settings: tuple[Setting, ...]
    """settings with a finished run, the best first; those with a run without a value come last"""
    others: Mapping[str, int]
    """the number of settings that are not ranked because most have another objective, by theirs"""
    without_split: int
    """the number of settings that are not ranked because only others have a validation split"""
    unfinished: tuple[Setting, ...]
    """the settings without a finished run"""

    @property
    def best(self) -> Setting | None:
        """The best setting; None if each has a run without a value, or none has a finished one."""
        return next((setting for setting in self.settings if not setting.lacking), None)

    @property
    def representative(self) -> JobResult | None:
        """The run that stands for the best setting; None without a best setting.

        It is the run with the best value on the validation images. The test images must not choose
        a run, so without a validation split it is the run of the first job.
        """
        if self.best is None:
            return None
        if self.measure.images == "test":
            return self.best.finished[0]
        return max(self.best.finished, key=lambda each: self.measure.sign * each.objective)


def rank(results: Sequence[JobResult]) -> Ranking:
    """Group the jobs of a sweep into settings and rank these.

    Values of different objectives are not ranked together: the objective that most settings have
    ranks, and settings with another one are left out. Nor are values on validation images and on
    test images: if some settings have a validation split, the others are left out.
    """
    groups: dict[tuple[str, ...], list[JobResult]] = {}
    for result in sorted(results, key=lambda each: each.job.number):
        groups.setdefault(result.job.values, []).append(result)
    settings = [_setting(group) for group in groups.values()]
    finished = [setting for setting in settings if setting.finished]
    objective = most_frequent(setting.ranked_by for setting in finished)
    alike = [setting for setting in finished if setting.ranked_by == objective]
    ranked = [setting for setting in alike if setting.has_split] or alike
    others = (each.ranked_by for each in finished if each.ranked_by != objective)
    measure = objective.measure(validated=bool(ranked) and ranked[0].has_split)
    return Ranking(
        measure,
        tuple(ordered(ranked, measure)),
        others=Counter(other.beside(objective) for other in others),
        without_split=len(alike) - len(ranked),
        unfinished=tuple(setting for setting in settings if not setting.finished),
    )


def _setting(results: Sequence[JobResult]) -> Setting:
    there = [result for result in results if result.finished and not result.diverged]
    values = {each.job.config.seed: each.objective for each in there}
    numbers = {seed: value for seed, value in values.items() if math.isfinite(value)}
    return Setting(
        numbers,
        sum(result.diverged for result in results),
        not_finite=len(values) - len(numbers),
        results=tuple(results),
    )
