"""The leading setting of a running sweep, kept up to date as its jobs finish."""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping
from typing import NamedTuple


class Lead(NamedTuple):
    """The setting that leads."""

    name: str
    mean: float
    """of the values of its finished jobs"""
    jobs: int
    """the number of these jobs"""


class Leader:
    """The setting with the best mean over its finished jobs.

    A new value costs the logarithm of the number of values so far, and not a look at all settings.
    """

    def __init__(self, settings: Mapping[int, str], sign: int) -> None:
        """Begin without values.

        Args:
            settings: the name of the setting of each job that is ranked, by the job's number.
            sign: 1 if a larger value is better, -1 if a smaller one is.
        """
        self._settings, self._sign = settings, sign
        self._places = {name: place for place, name in enumerate(dict.fromkeys(settings.values()))}
        self._values: dict[str, dict[int, float]] = {name: {} for name in self._places}
        self._sums = dict.fromkeys(self._places, 0.0)
        self._ranked: list[tuple[float, int, str]] = []  # a heap; outdated entries lie in it too

    def take(self, number: int, value: float) -> None:
        """Take in the value of a finished job; NaN if it diverged."""
        name = self._settings.get(number)
        if name is None:
            return
        values = self._values[name]
        is_again = number in values
        values[number] = value
        self._sums[name] = math.fsum(values.values()) if is_again else self._sums[name] + value
        mean = self._mean(name)
        if math.isfinite(mean):
            heapq.heappush(self._ranked, (-self._sign * mean, self._places[name], name))

    @property
    def lead(self) -> Lead | None:
        """The leading setting, of equal ones the first; None without a setting of finite mean."""
        while self._ranked:
            badness, _, name = self._ranked[0]
            mean = self._mean(name)
            if badness == -self._sign * mean:
                return Lead(name, mean, len(self._values[name]))
            heapq.heappop(self._ranked)
        return None

    @property
    def is_alone(self) -> bool:
        """Whether all ranked jobs have the same setting."""
        return len(self._places) == 1

    def _mean(self, name: str) -> float:
        return self._sums[name] / len(self._values[name])
