"""Scales of charts and the forms of their numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from experiments.registry.objective import is_share

if TYPE_CHECKING:
    import altair as alt

_SPAN = 30
"""values whose largest is more than so many times the smallest get a logarithmic scale"""
_DIGITS = 4

Cell = str | float | int | bool | None
"""a value of a chart's data"""


def rounded(value: Cell) -> Cell:
    """Return a number with four significant digits, and None for NaN and infinity."""
    if not isinstance(value, float):
        return value
    return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None


def scale_of(values: Iterable[Cell]) -> Literal["log", "linear"]:
    """Return `log` for positive values that span more than a factor of 30."""
    found = finite(values)
    if not found or min(found) <= 0:
        return "linear"
    return "log" if max(found) / min(found) > _SPAN else "linear"


def scale_for(values: Iterable[Cell], **options: Any) -> alt.Scale:
    """Return a scale that need not begin at 0, logarithmic if the values span a factor of 30."""
    import altair as alt

    kind = scale_of(values)
    if kind == "linear":  # Vega warns of a zero on a logarithm
        options["zero"] = False
    return alt.Scale(type=kind, **options)


def powers_of_ten(values: Iterable[Cell]) -> list[float]:
    """Return at most seven powers of ten across the positive values, for a logarithmic axis."""
    found = [number for number in finite(values) if number > 0]
    low, high = math.floor(math.log10(min(found))), math.ceil(math.log10(max(found)))
    return [10.0**power for power in range(low, high + 1, max(1, math.ceil((high - low) / 6)))]


def padded(values: Sequence[float]) -> list[float]:
    """Return the range of values, with a twentieth of it on each side."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    margin = (high - low) / 20 or 0.01
    return [low - margin, high + margin]


def finite(values: Iterable[Cell]) -> list[float]:
    """Return the values that are finite numbers."""
    return [v for v in values if isinstance(v, int | float) and math.isfinite(v)]


def format_of(metric: str) -> str:
    """Return the form of an axis's numbers, in the language of d3."""
    return "~%" if is_share(metric) else ".6~g"


def fine_format_of(metric: str) -> str:
    """Return the form of numbers that are read one by one, in the language of d3."""
    return ".2%" if is_share(metric) else ".4~g"
