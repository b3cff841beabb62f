"""The effect of each varied key on the settings of a sweep."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from experiments.composition.run_names import is_noise, key_of, value_of
from experiments.redaction.hide import hidden
from experiments.registry.objective import Measure
from experiments.sweep.settings import Setting


@dataclass(frozen=True)
class Effect:
    """The effect of a key on the means of settings."""

    key: str
    share: float
    """the share of the variance between the settings' means that it explains, 0 to 1"""
    means: tuple[tuple[str, float], ...]
    """each value with the mean over the settings that have it, the best first"""


def effects_of(settings: Sequence[Setting], measure: Measure) -> list[Effect]:
    """Return the effect of each key besides the seed, the greatest first.

    Args:
        settings: the settings that have a mean.
        measure: the measure of the means.

    Returns:
        An empty list if fewer than two keys vary, or all settings have the same mean.
    """
    means = [setting.mean for setting in settings]
    overrides = [
        {key_of(text): value_of(hidden(text)) for text in setting.results[0].job.varied}
        for setting in settings
    ]
    keys = dict.fromkeys(key for each in overrides for key in each)
    values = {key: [each.get(key, "") for each in overrides] for key in keys if key != "seed"}
    varied = {key: v for key, v in values.items() if len(set(v)) > 1 and not is_noise(key)}
    if len(varied) < 2 or len(set(means)) < 2:
        return []
    found = []
    for key, levels in varied.items():
        best_first = sorted(
            _means(means, levels).items(), key=lambda entry: -measure.sign * entry[1]
        )
        found.append(Effect(key, eta_squared(means, levels), tuple(best_first)))
    return sorted(found, key=lambda effect: effect.share, reverse=True)


def eta_squared(values: Sequence[float], groups: Sequence[str]) -> float:
    """Return the share, 0 to 1, of the variance of values that their groups explain.

    It is the sum of squares between the groups over the whole sum of squares: Cohen (1988),
    "Statistical Power Analysis for the Behavioral Sciences", chapter 8.

    Args:
        values: numbers that are not all equal.
        groups: the group of each.
    """
    mean, means = statistics.fmean(values), _means(values, groups)
    between = sum((means[group] - mean) ** 2 for group in groups)
    return between / sum((value - mean) ** 2 for value in values)


def _means(values: Sequence[float], groups: Sequence[str]) -> dict[str, float]:
    members: dict[str, list[float]] = {}
    for value, group in zip(values, groups, strict=True):
        members.setdefault(group, []).append(value)
    return {group: statistics.fmean(numbers) for group, numbers in members.items()}
