"""Runs in groups: the mean of a metric over the runs of each setting, ranked and tested."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from experiments.catalog.filters import check_key
from experiments.catalog.summary import Summary
from experiments.catalog.varied import SEED, varied_keys
from experiments.composition.run_names import short_names
from experiments.errors import InputError
from experiments.sweep.statements import mean_and_deviation

if TYPE_CHECKING:
    from experiments.sweep.comparison import Comparison

VALIDATION, TEST = "validation accuracy", "test accuracy"
Block = tuple[str, ...]


@dataclass(frozen=True)
class Group:
    """The runs with the same values of the keys that are compared."""

    values: Mapping[str, str]
    """the value of each key; a key that its runs do not have is missing"""
    runs: Mapping[Block, Summary]
    """the run of each block: of a seed, and of the values of keys that are not compared"""
    numbers: Mapping[Block, float]
    """the metric of each run that has not diverged, if it is a finite number"""

    @property
    def name(self) -> str:
        """The values in few words."""
        told = (f"{key.removesuffix('._target_')}={text}" for key, text in self.values.items())
        return " ".join(short_names(list(told)))

    @property
    def diverged(self) -> int:
        """The number of its diverged runs."""
        return sum(run.diverged for run in self.runs.values())

    @cached_property
    def mean(self) -> float:
        """The mean of its numbers; NaN without any."""
        return mean_and_deviation(list(self.numbers.values()))[0]

    @cached_property
    def deviation(self) -> float:
        """The standard deviation (n - 1) of its numbers; NaN for fewer than two."""
        return mean_and_deviation(list(self.numbers.values()))[1]


@dataclass(frozen=True)
class Grouping:
    """Ranked groups of runs, and the tests of the best against the others."""

    metric: str
    keys: tuple[str, ...]
    """the keys that are compared"""
    beside: tuple[str, ...]
    """the other keys in which the runs differ, the seed excluded"""
    groups: tuple[Group, ...]
    """the best first; groups with diverged runs come last"""
    intervals: tuple[tuple[float, float] | None, ...]
    """the 95 % interval of each mean; None for fewer than two numbers"""
    comparison: Comparison | None
    """of the groups without diverged runs; None if there is no test"""
    unfinished: int
    """the number of runs that are left out because they have no result"""
    without_split: int
    """the number of runs that are left out because only others have a validation split"""
    without_metric: int
    """the number of runs that are left out because they lack the metric, or it is not finite"""
    older: int
    """the number of runs that are left out because a newer one has the same values"""

    @property
    def compared(self) -> tuple[Group, ...]:
        """The groups without diverged runs, which come first."""
        return tuple(group for group in self.groups if not group.diverged and group.numbers)

    @property
    def is_accuracy(self) -> bool:
        """Whether the numbers are shares, 0 to 1, which are shown in per cent."""
        return self.metric.endswith("accuracy")

    @property
    def unit(self) -> str:
        """The word for the numbers of a group."""
        return "runs" if self.beside else "seeds"


def is_lower_better(metric: str) -> bool:
    """Return whether lower values of a metric are better: losses, errors and durations."""
    return metric.endswith(("loss", "error", "seconds"))


def grouped(
    runs: Sequence[Summary], keys: Sequence[str] | None = None, metric: str | None = None
) -> Grouping:
    """Group runs by keys and rank the groups by the mean of a metric.

    Args:
        runs: the runs, sweeps excluded.
        keys: the parameters to compare; None for all in which the runs differ, the seed excluded.
        metric: a metric; None for the accuracy that ranks runs. That is the validation accuracy if
            any run has a validation split; runs without one are then left out.

    Raises:
        InputError: no run has a result, or none has a key or the metric.
    """
    ended = [run for run in runs if run.state in {"finished", "diverged"}]
    if not ended:
        raise InputError(
            f"none of {len(runs)} runs has a result to compare; `experiments ls` lists all runs"
            if runs
            else "no run meets the filters; `experiments ls` lists all runs"
        )
    kept, measure = _measured(ended, metric)
    differing = varied_keys(kept)
    for key in keys or ():
        _check_parameter(key, kept)
    chosen = tuple(keys if keys is not None else differing)
    beside = tuple(key for key in differing if key not in chosen)
    blocks = [key for key in (SEED, *beside) if key not in chosen]
    groups, older = _groups(kept, chosen, blocks, metric)
    sign = -1 if is_lower_better(measure) else 1
    groups.sort(key=lambda each: (each.diverged / len(each.runs), -sign * _or_worst(each, sign)))
    is_count = measure.endswith("accuracy") and len({r.tags.get("data_sha256") for r in kept}) == 1
    intervals, comparison = _tested(groups, sign, counts=is_count)
    return Grouping(
        metric=measure,
        keys=chosen,
        beside=beside,
        groups=tuple(groups),
        intervals=intervals,
        comparison=comparison,
        unfinished=len(runs) - len(ended),
        without_split=len(ended) - len(kept) if metric is None else 0,
        without_metric=_without_metric(ended, groups, metric),
        older=older,
    )


def _check_parameter(key: str, runs: Sequence[Summary]) -> None:
    check_key(key, runs, f"--group-by={key}")
    if not any(key in run.params for run in runs):
        known = sorted({name for run in runs for name in run.params})
        close = [name for name in known if name.endswith(f".{key}")]
        advice = (
            f"did you mean {close[0]}?" if close else "`experiments show RUN --json` lists them"
        )
        raise InputError(f"--group-by={key}: is no parameter; {advice}")


def _measured(ended: Sequence[Summary], metric: str | None) -> tuple[list[Summary], str]:
    """Return the runs that are ranked together, and the name of their metric.

    Raises:
        InputError: no run has the metric.
    """
    if metric is not None:
        if not any(metric in run.metrics for run in ended):
            raise _no_such_metric(metric, ended)
        return [run for run in ended if metric in run.metrics or run.diverged], metric
    with_split = [run for run in ended if "val_accuracy" in run.metrics]
    if all(run.diverged for run in with_split):
        with_split = []  # they would hide all other runs
    return (with_split, VALIDATION) if with_split else (list(ended), TEST)


def _no_such_metric(metric: str, ended: Sequence[Summary]) -> InputError:
    known = ", ".join(sorted({name for run in ended for name in run.metrics}))
    return InputError(f"--metric={metric}: no run has it; choose from {known}")


def _without_metric(ended: Sequence[Summary], groups: Sequence[Group], metric: str | None) -> int:
    lacking = 0
    if metric is not None:
        lacking = sum(metric not in run.metrics and not run.diverged for run in ended)
    infinite = sum(len(each.runs) - each.diverged - len(each.numbers) for each in groups)
    return lacking + infinite


def _groups(
    runs: Sequence[Summary], keys: Sequence[str], blocks: Sequence[str], metric: str | None
) -> tuple[list[Group], int]:
    """Return the groups, and the number of older runs in the place of a newer one."""
    found: dict[Block, dict[Block, Summary]] = {}
    for run in sorted(runs, key=lambda each: each.begun):
        group = found.setdefault(tuple(run.params.get(key, "") for key in keys), {})
        group[tuple(run.params.get(key, "") for key in blocks)] = run
    groups = [
        Group(
            {key: text for key, text in zip(keys, values, strict=True) if text},
            members,
            {
                block: _number(run, metric)
                for block, run in members.items()
                if not run.diverged and math.isfinite(_number(run, metric))
            },
        )
        for values, members in found.items()
    ]
    return groups, len(runs) - sum(len(group.runs) for group in groups)


def _number(run: Summary, metric: str | None) -> float:
    return run.objective if metric is None else run.metrics.get(metric, math.nan)


def _or_worst(group: Group, sign: int) -> float:
    return -sign * math.inf if math.isnan(group.mean) else group.mean


def _tested(
    groups: Sequence[Group], sign: int, *, counts: bool
) -> tuple[tuple[tuple[float, float] | None, ...], Comparison | None]:
    """Return the interval of each group, and the tests of the groups without diverged runs."""
    found: list[tuple[float, float] | None] = [None] * len(groups)
    compared = [group for group in groups if not group.diverged and group.numbers]
    if all(len(group.numbers) < 2 for group in compared):
        return tuple(found), None
    import numpy as np

    from experiments.sweep.comparison import compare, intervals

    blocks = sorted({block for group in compared for block in group.numbers})
    table = [[group.numbers.get(block, np.nan) for block in blocks] for group in compared]
    values = sign * np.array(table)
    for place, (low, high) in enumerate(zip(*intervals(values, counts=counts), strict=True)):
        if not np.isnan(low):
            ends = sorted((sign * float(low), sign * float(high)))
            found[place] = ends[0], ends[1]
    tests = compare(values, counts=counts) if len(compared) > 1 else None
    return tuple(found), tests if tests is not None and tests.tests else None
