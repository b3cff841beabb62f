"""The order of listed runs: the newest first, the best first, or by a key."""

from __future__ import annotations

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
    reverse: bool = False,
) -> list[Summary]:
    """Return the runs that meet all filters, the newest first unless an order is asked for.

    Args:
        runs: the runs.
        filters: as `chosen` takes them.
        sweeps: all sweeps.
        best: the highest accuracy first; runs without one come last.
        sort: ascending by this key; runs without it come last.
        reverse: turns the order round; runs without an accuracy or the key still come last.

    Raises:
        InputError: a filter or the key is a mistake, or both orders are asked for.
    """
    found = sorted(chosen(runs, filters, sweeps), key=lambda run: run.begun, reverse=True)
    if best and sort is not None:
        raise InputError(f"--sort={sort}: --best is an order too; give one of them")
    if sort is not None and found:
        check_key(sort, found, f"--sort={sort}")
    key = "" if sort is None else sort
    values: dict[str, Value] = {
        run.id: run.objective if best else value_of(run, key) if sort is not None else run.begun
        for run in found
    }
    lacking = [run for run in found if _is_missing(values[run.id])]
    there = [run for run in found if not _is_missing(values[run.id])]
    descending = (sort is None) != reverse
    there.sort(key=lambda run: _sortable(values[run.id]), reverse=descending)
    return [*there, *lacking]


def _is_missing(value: Value) -> bool:
    return value is None or value != value  # NaN


def _sortable(value: Value) -> tuple[int, float, str]:
    """Return a key that sorts numbers before texts."""
    if isinstance(value, str):
        return 1, 0, value
    return 0, float(value or 0), ""
