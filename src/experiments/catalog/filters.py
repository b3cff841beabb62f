"""Filters: states and conditions that choose runs, such as `finished optimizer.lr>=0.01 seed=0`."""

from __future__ import annotations

import contextlib
import difflib
import fnmatch
import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from experiments.catalog.summary import STATES, Summary
from experiments.catalog.texts import as_time
from experiments.errors import InputError

Value = str | float | bool | None
"""of a key; None if the run has no such key"""

_FORM = re.compile(r"\s*([\w.@/-]+?)\s*(!=|>=|<=|=|>|<)(?![=<>])\s*(.*?)\s*", re.DOTALL)
_ORDERS: Mapping[str, Callable[[Any, Any], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_IDS = ("id", "identity", "mlflow")
_FACTS: Mapping[str, Callable[[Summary], Value]] = {
    "id": lambda run: run.id,
    "name": lambda run: run.name,
    "state": lambda run: run.state,
    "experiment": lambda run: run.experiment,
    "objective": lambda run: run.ranked_by.name,
    "identity": lambda run: run.identity,
    "mlflow": lambda run: run.mlflow_id,
    "host": lambda run: run.host,
    "folder": lambda run: str(run.folder),
    "seconds": lambda run: run.seconds,
    "begun": lambda run: as_time(run.begun),
}


def value_of(run: Summary, key: str) -> Value:
    """Return the value of a fact, a parameter, a metric or a tag of a run, by its key."""
    if key in _FACTS:
        return _FACTS[key](run)
    if key in run.params:
        return plain(run.params[key])
    if key in run.metrics:
        return run.metrics[key]
    return plain(run.tags[key]) if key in run.tags else None


def plain(text: str) -> Value:
    """Return the number or the truth value that a parameter's text stands for, or else the text."""
    if text in {"true", "false"}:
        return text == "true"
    if text == "null":
        return None
    with contextlib.suppress(ValueError):
        return int(text)
    with contextlib.suppress(ValueError):
        return float(text)
    return text


def chosen(
    runs: Sequence[Summary], filters: Iterable[str], sweeps: Sequence[Summary]
) -> list[Summary]:
    """Return the runs that meet all filters.

    A filter is a state or several, such as `dead,diverged`, or a condition: a key, one of
    = != < <= > >=, and a value. `=` and `!=` take patterns, such as `model=conv*`, and the
    beginning of an id. `sweep=` takes the folder of a sweep or the beginning of one of its ids. A
    run without the key meets no condition, except `!=` and `=null`.

    Args:
        runs: the runs.
        filters: the filters.
        sweeps: all sweeps, for `sweep=`.

    Raises:
        InputError: a filter has no such form, or no run has its key, or no sweep its id.
    """
    left = list(runs)
    for text in filters:
        meets = _filter(text, runs, sweeps)
        left = [run for run in left if meets(run)]
    return left


def _filter(
    text: str, runs: Sequence[Summary], sweeps: Sequence[Summary]
) -> Callable[[Summary], bool]:
    if set(states := text.split(",")) <= set(STATES):
        return lambda run: run.state in states
    form = _FORM.fullmatch(text)
    if form is None and any(each.is_named(text) for each in sweeps):
        raise InputError(f"{text}: is a sweep; its jobs are chosen by sweep={text}")
    if form is None:
        raise InputError(
            f"{text}: is no filter; give a state ({', '.join(STATES)}) or a condition with one of "
            "= != < <= > >=, such as seed=0 or 'test_accuracy>0.97' (quoted, for the shell)"
        )
    key, sign, wanted = form.groups()
    if key == "sweep":
        return _of_sweep(text, sign, wanted, sweeps)
    if runs:
        check_key(key, runs, text)
    if key in _IDS and sign in {"=", "!="}:
        return lambda run: _begins(value_of(run, key), wanted) == (sign == "=")
    if sign in _ORDERS and key == "begun":
        order = _ORDERS[sign]
        return lambda run: order(str(value_of(run, key)), wanted)
    if sign in _ORDERS:
        return _ordered(text, key, sign, wanted)
    return lambda run: _equals(value_of(run, key), wanted) == (sign == "=")


def check_key(key: str, runs: Sequence[Summary], said: str) -> None:
    """Check that one of the runs has a key.

    Raises:
        InputError: none has it; the message begins with `said`.
    """
    if key in _FACTS or any(key in each for run in runs for each in _places(run)):
        return
    known = sorted({name for run in runs for each in _places(run) for name in each} | set(_FACTS))
    meant = [name for name in known if name.endswith(f".{key}")]
    if not meant:
        options = {text: name for name in known for text in (name.rpartition(".")[2], name)}
        meant = [options[each] for each in difflib.get_close_matches(key, options, 1)]
    metrics = ", ".join(sorted({name for run in runs for name in run.metrics}))
    advice = f"did you mean {' or '.join(meant)}?" if meant else f"the metrics are {metrics}"
    raise InputError(
        f"{said}: no run has {key}; {advice} (`experiments show RUN --json` lists all keys)"
    )


def _places(run: Summary) -> tuple[Mapping[str, object], ...]:
    return run.params, run.metrics, run.tags


def _of_sweep(
    text: str, sign: str, wanted: str, sweeps: Sequence[Summary]
) -> Callable[[Summary], bool]:
    if sign not in {"=", "!="} or not wanted:
        raise InputError(f"{text}: give the folder or an id of a sweep, such as sweep=1f3a")
    named = {each.id for each in sweeps if each.is_named(wanted)}
    if not named:
        raise InputError(f"{text}: there is no such sweep; `experiments ls --sweeps` lists them")
    return lambda run: bool(named & set(run.sweeps)) == (sign == "=")


def _ordered(text: str, key: str, sign: str, wanted: str) -> Callable[[Summary], bool]:
    limit = plain(wanted)
    if isinstance(limit, bool) or not isinstance(limit, int | float):
        raise InputError(f"{text}: {wanted or 'nothing'} is no number; {sign} compares numbers")

    def meets(run: Summary) -> bool:
        value = value_of(run, key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return _ORDERS[sign](value, limit)

    return meets


def _begins(value: Value, wanted: str) -> bool:
    return bool(wanted) and str(value).startswith(wanted.rstrip("*").lower())


def _equals(value: Value, wanted: str) -> bool:
    meant = plain(wanted)
    if isinstance(value, bool) or isinstance(meant, bool) or value is None:
        return value is meant or (value is None and wanted in {"", "null"})
    if isinstance(value, int | float):
        if not isinstance(meant, int | float):
            return False
        return value == meant or (math.isnan(value) and math.isnan(meant))
    # A list such as [128] is a value, not a set of characters.
    return value == wanted or fnmatch.fnmatchcase(value, wanted.replace("[", "[[]"))
