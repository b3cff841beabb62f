"""The order of listed runs: the newest first, the best first, or by a key."""

from __future__ import annotations

from collections import Counter
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
        best: the best value of their objective first; runs without one come last.
        sort: ascending by this key; runs without it come last.
        reverse: turns the order round; runs without a value or the key still come last.

    Raises:
        InputError: a filter or the key is a mistake, both orders are asked for, or the best of runs
            with several objectives.
    """
    found = sorted(chosen(runs, filters, sweeps), key=lambda run: run.begun, reverse=True)
    if best and sort is not None:
        raise InputError(f"--sort={sort}: --best is an order too; give one of them")
    if sort is not None and found:
        check_key(sort, found, f"--sort={sort}")
    if best:
        _refuse_several_objectives(found)
    key = "" if sort is None else sort
    values: dict[str, Value] = {
        run.id: _goodness(run) if best else value_of(run, key) if sort is not None else run.begun
        for run in found
    }
    lacking = [run for run in found if _is_missing(values[run.id])]
    there = [run for run in found if not _is_missing(values[run.id])]
    descending = (sort is None) != reverse
    there.sort(key=lambda run: _sortable(values[run.id]), reverse=descending)
    return [*there, *lacking]


def _refuse_several_objectives(runs: Sequence[Summary]) -> None:
    measured = [run.ranked_by for run in runs if not _is_missing(run.objective)]
    found = [each for each, _ in Counter(measured).most_common()]
    if len(found) > 1:
        names = [each.beside(next(o for o in found if o != each)) for each in found]
        raise InputError(
            f"--best: the runs have {len(found)} objectives, {' and '.join(names)}, which cannot "
            f"be compared; add a filter such as objective={found[0].name}, or give --sort"
        )


def _goodness(run: Summary) -> float:
    """Return the value of a run's objective, its sign turned if a smaller one is better."""
    return run.ranked_by.sign * run.objective


def _is_missing(value: Value) -> bool:
    return value is None or value != value  # NaN


def _sortable(value: Value) -> tuple[int, float, str]:
    """Return a key that sorts numbers before texts."""
    if isinstance(value, str):
        return 1, 0, value
    return 0, float(value or 0), ""
