"""Ratios of seconds that were measured in turns, and the comparison of new ones with kept ones.

Seconds differ between two machines, and on one machine between two moments. A ratio of two times
that are measured directly after one another differs little.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

TURNS = 5  # with fewer, no difference of two measurements could reach LEVEL
LEVEL = 0.01
MARGIN = 0.05  # processes differ by a few per cent, by their addresses in memory for example

Samples = Mapping[str, Sequence[float]]
"""values by name, one for each turn"""
Verdict = Literal["slower", "faster", "unchanged", "new", "not measured"]


@dataclass(frozen=True)
class Ratio:
    """The seconds of one thing over those of another; a larger ratio is slower."""

    over: str
    under: str
    aim: float | None = None
    """the largest median that meets the aim, if there is one"""


@dataclass(frozen=True)
class Finding:
    """The comparison of one ratio."""

    name: str
    verdict: Verdict
    kept: Sequence[float]
    new: Sequence[float]


def ratios_of(seconds: Samples, ratios: Mapping[str, Ratio]) -> dict[str, list[float]]:
    """Return the values of ratios, each divided within its turn."""
    return {
        name: [a / b for a, b in zip(seconds[each.over], seconds[each.under], strict=True)]
        for name, each in ratios.items()
    }


def compared(kept: Samples, new: Samples) -> list[Finding]:
    """Return the comparison of each ratio of two measurements on one machine, by name.

    A ratio is slower if its new median is more than `MARGIN` above the largest kept value, and an
    exact one-sided test of ranks (Mann and Whitney, 1947) has p < `LEVEL`. It is faster if the
    same holds downwards. The first condition is the spread of the kept measurement; the second
    protects against a new measurement that is noisier. Ranks need no normal distribution.

    Args:
        kept: the kept ratios.
        new: the new ratios.
    """
    names = [*kept, *(name for name in new if name not in kept)]
    return [_finding(name, kept.get(name, ()), new.get(name, ())) for name in names]


def _finding(name: str, kept: Sequence[float], new: Sequence[float]) -> Finding:
    if not kept or not new:
        return Finding(name, "new" if new else "not measured", kept, new)
    middle = statistics.median(new)
    verdict: Verdict = "unchanged"
    if middle > (1 + MARGIN) * max(kept) and _differs(new, kept):
        verdict = "slower"
    elif middle * (1 + MARGIN) < min(kept) and _differs(kept, new):
        verdict = "faster"
    return Finding(name, verdict, kept, new)


def _differs(larger: Sequence[float], smaller: Sequence[float]) -> bool:
    from scipy import stats  # takes a second, and tables need no test

    test = stats.mannwhitneyu(larger, smaller, alternative="greater", method="exact")
    return bool(test.pvalue < LEVEL)
