"""Curves of runs: the values of each metric by epoch, thinned, and bands over several runs."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

Curve = Mapping[int, float]
"""the value of a metric by epoch"""
OF_AN_EPOCH = ("val_accuracy", "val_loss", "train_loss", "lr")
"""the metrics that a run reports for each epoch, in the order of a report"""


def curves_of(points: Mapping[tuple[str, int], float]) -> dict[str, dict[int, float]]:
    """Return the curve of each metric, from the points of a journal."""
    found: dict[str, dict[int, float]] = {}
    for (key, step), value in sorted(points.items()):
        found.setdefault(key, {})[step] = value
    return found


def thinned(curve: Curve, most: int) -> dict[int, float]:
    """Return at most about `most` points of a curve, evenly spaced, with the last one."""
    steps = sorted(curve)
    stride = max(1, math.ceil(len(steps) / most))
    kept = [step for place, step in enumerate(steps) if (len(steps) - 1 - place) % stride == 0]
    return {step: curve[step] for step in kept}


def band(curves: Sequence[Curve]) -> dict[int, tuple[float, float, float]]:
    """Return the mean, the least and the greatest value of curves at each epoch.

    Values that are not finite are left out.
    """
    steps = sorted({step for curve in curves for step in curve})
    found = {}
    for step in steps:
        values = [curve[step] for curve in curves if math.isfinite(curve.get(step, math.nan))]
        if values:
            found[step] = statistics.fmean(values), min(values), max(values)
    return found
