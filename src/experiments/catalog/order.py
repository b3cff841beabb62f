"""The order of listed runs: the newest first, the best first, or by a key."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from experiments.catalog.filters import Value, check_key, chosen, value_of
from experiments.catalog.summary import Summary
from experiments.errors import InputError


def ordered(
    runs: Sequence[Summary],
    filters: Iterable[str],
    sweeps: Sequence[Summary],
    *,
    best: bool = False,
    sort: str | None = None,
) -> list[Summary]:
    """Return the runs that meet all filters, the newest first unless an order is asked for.

    Args:
        runs: the runs.
        filters: as `chosen` takes them.
        sweeps: all sweeps.
        best: the highest accuracy first; runs without one come last.
        sort: ascending by this key; runs without it come last.

    Raises:
        InputError: a filter or the key is a mistake, or both orders are asked for.
    """
    found = sorted(chosen(runs, filters, sweeps), key=lambda run: run.begun, reverse=True)
    if best and sort is not None:
        raise InputError(f"--sort={sort}: --best is an order too; give one of them")
    if best:
        return sorted(found, key=lambda run: _last_if_nan(-run.objective))
    if sort is not None and found:
        check_key(sort, found, f"--sort={sort}")
        return sorted(found, key=lambda run: _sortable(value_of(run, sort)))
    return found


def _last_if_nan(value: float) -> float:
    return math.inf if math.isnan(value) else value


def _sortable(value: Value) -> tuple[int, float, str]:
    """Return a key that sorts numbers before texts, and missing values last."""
    if value is None or value != value:  # NaN
        return 2, 0, ""
    if isinstance(value, str):
        return 1, 0, value
    return 0, float(value), ""
