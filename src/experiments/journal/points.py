"""The metric points of two runs, compared to the bit."""

from __future__ import annotations

from collections.abc import Mapping

Points = Mapping[tuple[str, int], float]
"""each metric by key and step"""

TIMES = frozenset({"epoch_seconds"})
"""metrics that differ between any two runs"""


def without_times(points: Points) -> dict[tuple[str, int], float]:
    """Return the points that do not measure time."""
    return {point: value for point, value in points.items() if point[0] not in TIMES}


def are_equal(one: float | None, other: float | None) -> bool:
    """Return whether two values are equal to the bit; NaN equals NaN, None is no value."""
    if one is None or other is None:
        return one is other
    return repr(float(one)) == repr(float(other))


def differing(one: Points, other: Points) -> list[tuple[str, int]]:
    """Return the points that are not equal or that only one has, by step and key."""
    return sorted(
        (
            point
            for point in one.keys() | other.keys()
            if not are_equal(one.get(point), other.get(point))
        ),
        key=lambda point: (point[1], point[0]),
    )
