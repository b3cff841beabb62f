"""The factors of a sweep: varied keys besides the seed, and their effects on the settings."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from experiments.catalog.filters import plain
from experiments.catalog.groups import Group
from experiments.redaction.hide import hidden
from experiments.report.scales import scale_of
from experiments.sweep.effects import eta_squared

_UNSET = "unset"
_MARKS = 7  # named values of an axis


@dataclass(frozen=True)
class Factor:
    """A varied key besides the seed, and the settings' values of it."""

    key: str
    values: tuple[str, ...]
    """of each setting"""
    share: float
    """the share of the variance between the settings' means that it explains, 0 to 1; NaN if all
    means are equal"""

    @property
    def levels(self) -> list[str]:
        """The distinct values, ascending if they are numbers."""
        found = list(dict.fromkeys(self.values))
        return sorted(found, key=lambda text: float(text)) if self.is_numeric else found

    @property
    def is_numeric(self) -> bool:
        """Whether all values are numbers."""
        return all(_is_number(text) for text in self.values)


def name_of(group: Group) -> str:
    """Return the values of a setting in few words, without secrets."""
    return hidden(group.name) or "all seeds"


def factors_of(groups: Sequence[Group]) -> list[Factor]:
    """Return the factors whose values differ, the one that explains most first.

    Args:
        groups: the settings that have a mean.
    """
    means = [group.mean for group in groups]
    differ = len(set(means)) > 1
    found = []
    for key in dict.fromkeys(key for group in groups for key in group.values):
        values = tuple(hidden(group.values.get(key, "")) or _UNSET for group in groups)
        if len(set(values)) > 1:
            found.append(Factor(key, values, eta_squared(means, values) if differ else math.nan))
    return sorted(found, key=lambda factor: -factor.share if differ else 0)


def axis_of(factor: Factor) -> tuple[dict[str, float], list[tuple[str, float]]]:
    """Return the place, 0 to 1, of each value on a factor's axis, and the labelled values."""
    levels = factor.levels
    if factor.is_numeric and len(levels) > 1:
        numbers = [float(value) for value in levels]
        if scale_of(numbers) == "log":
            numbers = [math.log10(number) for number in numbers]
        low, spread = numbers[0], numbers[-1] - numbers[0]
        places = {v: (n - low) / spread for v, n in zip(levels, numbers, strict=True)}
    else:
        places = {v: place / max(1, len(levels) - 1) for place, v in enumerate(levels)}
    marks = levels
    if len(levels) > _MARKS:
        stride = math.ceil((len(levels) - 1) / (_MARKS - 1))
        marks = [*levels[:-1:stride], levels[-1]]
    return places, [(value, places[value]) for value in marks]


def means_of(factor: Factor, groups: Sequence[Group]) -> dict[str, float]:
    """Return the mean over the settings with each value of a factor."""
    members: dict[str, list[float]] = {}
    for value, group in zip(factor.values, groups, strict=True):
        members.setdefault(value, []).append(group.mean)
    return {value: statistics.fmean(means) for value, means in members.items()}


def short(keys: Sequence[str]) -> list[str]:
    """Return keys without their groups, unless that would make two alike."""
    last = Counter(key.rpartition(".")[2] for key in keys)
    return [key if last[key.rpartition(".")[2]] > 1 else key.rpartition(".")[2] for key in keys]


def _is_number(text: str) -> bool:
    value = plain(text)
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
