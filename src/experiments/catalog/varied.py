"""The keys in which runs differ, without those that another key explains."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from experiments.catalog.summary import Summary

SEED = "seed"
_FOLLOWING: Mapping[str, Sequence[str]] = {"trainer.monitor": ("task", "task.objective")}
"""keys whose usual value follows from others"""


def varied_keys(runs: Sequence[Summary]) -> list[str]:
    """Return the parameters in which runs differ, the seed excluded.

    A choice such as `optimizer=adamw` brings values of its own. So below a varied choice only
    values count that differ between runs of the same choice.
    """
    keys = list(dict.fromkeys(key for run in runs for key in run.params if key != SEED))
    varied = [key for key in keys if _differs(key, (), runs)]
    varied.sort(key=lambda key: not _is_choice(key))
    return [key for key in varied if _differs(key, _explaining(key, varied), runs)]


def _is_choice(key: str) -> bool:
    """Return whether a key names the chosen file of a group, such as `model` or `task/loss`."""
    return "." not in key or "/" in key or "@" in key


def place_of(key: str) -> str:
    """Return the place of a value or of a choice's values, such as `task.loss` for `task/loss`."""
    return key.partition("@")[2] or key.replace("/", ".")


def _explaining(key: str, varied: Iterable[str]) -> list[str]:
    """Return the varied keys that a key may follow from."""
    place = place_of(key)
    above = [c for c in varied if _is_choice(c) and place.startswith(f"{place_of(c)}.")]
    return [*above, *(each for each in _FOLLOWING.get(key, ()) if each in varied)]


def _differs(key: str, given: Sequence[str], runs: Sequence[Summary]) -> bool:
    """Return whether runs with the same values of the given keys differ in a key."""
    within: dict[tuple[str | None, ...], set[str | None]] = {}
    for run in runs:
        same = tuple(run.params.get(each) for each in given)
        within.setdefault(same, set()).add(run.params.get(key))
    return any(len(values) > 1 for values in within.values())
