"""The settings of a sweep, ranked: jobs that differ in the seed alone are one setting."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from experiments.redaction.hide import hidden
from experiments.sweep.report import JobResult
from experiments.sweep.statements import mean_and_deviation

Measure = Literal["validation accuracy", "test accuracy"]


@dataclass(frozen=True)
class Setting:
    """The jobs of a sweep with the same values, apart from the seed."""

    results: tuple[JobResult, ...]
    """in the order of the jobs' numbers"""

    @property
    def name(self) -> str:
        """The values that not all jobs share, in few words, without secrets."""
        return hidden(self.results[0].job.setting) or "all seeds"

    @cached_property
    def finished(self) -> tuple[JobResult, ...]:
        """The results of its finished runs."""
        return tuple(result for result in self.results if result.finished)

    @cached_property
    def values(self) -> Mapping[int, float]:
        """The accuracy of each finished run that has not diverged, 0 to 1, by its seed."""
        return {each.job.config.seed: each.objective for each in self.finished if not each.diverged}

    @property
    def mean(self) -> float:
        """The mean of `values`, 0 to 1; NaN without any."""
        return mean_and_deviation(list(self.values.values()))[0]

    @property
    def deviation(self) -> float:
        """The standard deviation of `values`; NaN for one seed."""
        return mean_and_deviation(list(self.values.values()))[1]

    @property
    def diverged(self) -> int:
        """The number of its runs that diverged."""
        return sum(result.diverged for result in self.finished)

    @property
    def has_split(self) -> bool:
        """Whether its runs have a validation split, which then measures `values`."""
        return bool(self.results[0].job.config.data.validation_size)

    @property
    def notes(self) -> tuple[str, ...]:
        """Facts about its runs that its accuracy does not show."""
        missing = len(self.results) - len(self.finished)
        warnings = [each.run.warning for each in self.finished if each.run and not each.diverged]
        counts = {
            "diverged": self.diverged,
            **Counter(text.partition(":")[0] for text in warnings if text),
            "not finished": missing,
        }
        return tuple(
            f"{count} of {len(self.results)} {fact}" for fact, count in counts.items() if count
        )


@dataclass(frozen=True)
class Ranking:
    """The settings of a sweep, ranked by the mean over their seeds."""

    measure: Measure
    settings: tuple[Setting, ...]
    """settings with a finished run, the best first; settings with a diverged run come last"""
    without_split: int
    """the number of settings that are not ranked because only others have a validation split"""
    unfinished: tuple[Setting, ...]
    """the settings without a finished run"""

    @property
    def best(self) -> Setting | None:
        """The best setting; None if each has a diverged run, or none has a finished one."""
        return next((setting for setting in self.settings if not setting.diverged), None)

    @property
    def representative(self) -> JobResult | None:
        """The run that stands for the best setting; None without a best setting.

        It is the run with the best validation accuracy. The test images must not choose a run, so
        without a validation split it is the run of the first job.
        """
        if self.best is None:
            return None
        if self.measure == "test accuracy":
            return self.best.finished[0]
        return max(self.best.finished, key=lambda result: result.objective)


def rank(results: Sequence[JobResult]) -> Ranking:
    """Group the jobs of a sweep into settings and rank these.

    Validation and test accuracies are not ranked together: if some settings have a validation
    split, the others are left out.
    """
    groups: dict[tuple[str, ...], list[JobResult]] = {}
    for result in sorted(results, key=lambda each: each.job.number):
        groups.setdefault(result.job.values, []).append(result)
    settings = [Setting(tuple(group)) for group in groups.values()]
    finished = [setting for setting in settings if setting.finished]
    ranked = [setting for setting in finished if setting.has_split] or finished
    # Sorting is stable, so equal settings stay in the order of their jobs.
    ranked.sort(key=lambda each: (each.diverged / len(each.finished), -_or_zero(each.mean)))
    return Ranking(
        "validation accuracy" if ranked and ranked[0].has_split else "test accuracy",
        tuple(ranked),
        without_split=len(finished) - len(ranked),
        unfinished=tuple(setting for setting in settings if not setting.finished),
    )


def _or_zero(value: float) -> float:
    return 0 if math.isnan(value) else value
