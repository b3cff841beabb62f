"""Curves of runs: the values of each metric by epoch, thinned, and bands over several runs."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence

Curve = Mapping[int, float]
"""the value of a metric by epoch"""
Figures = Mapping[str, Mapping[str, str]]
"""the figures of curves: by title, the metrics in it with the names of their curves"""
_ROLES = {"train_": "training", "val_": "validation"}
_NO_CURVES = ("test_", "best_", "epoch_seconds", "system/")


def curves_of(points: Mapping[tuple[str, int], float]) -> dict[str, dict[int, float]]:
    """Return the curve of each metric, from the points of a journal."""
    found: dict[str, dict[int, float]] = {}
    for (key, step), value in sorted(points.items()):
        found.setdefault(key, {})[step] = value
    return found


def figures_of(metrics: Iterable[str], objective: str) -> Figures:
    """Return a figure for each metric that is reported for each epoch, training and validation.

    The objective comes first, then the loss, the other metrics and the learning rate.

    Args:
        metrics: the names of curves, such as `val_f1`.
        objective: the name of the objective, such as `f1`.
    """
    found: dict[str, dict[str, str]] = {}
    for metric in sorted(metrics):
        if metric.startswith(_NO_CURVES):
            continue
        role = next((role for role in _ROLES if metric.startswith(role)), "")
        curve = _ROLES[role] if role else metric
        found.setdefault(metric.removeprefix(role), {})[metric] = curve
    places = {objective: 0, "lr": 3} | ({} if objective == "loss" else {"loss": 1})
    order = sorted(found, key=lambda title: (places.get(title, 2), title))
    return {title: found[title] for title in order}


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
