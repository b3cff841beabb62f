"""The keys in which runs differ, without those that another key explains."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.catalog.summary import Summary

SEED = "seed"


def varied_keys(runs: Sequence[Summary]) -> list[str]:
    """Return the parameters in which runs differ, the seed excluded.

    A choice such as `optimizer=adamw` brings values of its own. So below a varied choice only
    values count that differ between runs of the same choice.
    """
    keys = list(dict.fromkeys(key for run in runs for key in run.params))
    choices = [key for key in keys if "." not in key and key != SEED and _differs(key, runs)]
    leaves = [key for key in keys if "." in key]
    return [*choices, *(key for key in leaves if _differs_within_choices(key, choices, runs))]


def _differs(key: str, runs: Sequence[Summary]) -> bool:
    return len({run.params.get(key) for run in runs}) > 1


def _differs_within_choices(key: str, choices: Sequence[str], runs: Sequence[Summary]) -> bool:
    part = key.partition(".")[0]
    if part not in choices:
        return _differs(key, runs)
    within: dict[str | None, set[str | None]] = {}
    for run in runs:
        within.setdefault(run.params.get(part), set()).add(run.params.get(key))
    return any(len(values) > 1 for values in within.values())
