"""Runs in groups: the mean of a metric over the runs of each setting, ranked and tested."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from experiments.catalog.filters import check_key
from experiments.catalog.metrics import direction_of
from experiments.catalog.summary import Summary
from experiments.catalog.varied import SEED, varied_keys
from experiments.composition.run_names import short_names
from experiments.errors import InputError
from experiments.registry.objective import Measure, most_frequent
from experiments.sweep.ranking import Interval, Sample, compared, ordered, tested

if TYPE_CHECKING:
    from experiments.sweep.comparison import Comparison

Block = tuple[str, ...]
"""of a seed, and of the values of keys that are not compared"""


@dataclass(frozen=True)
class Group(Sample):
    """The runs with the same values of the keys that are compared."""

    values: Mapping[str, str]
    """the value of each key; a key that its runs do not have is missing"""
    runs: Mapping[Block, Summary]

    @property
    def name(self) -> str:
        """The values in few words."""
        told = (f"{key.removesuffix('._target_')}={text}" for key, text in self.values.items())
        return " ".join(short_names(list(told)))


@dataclass(frozen=True)
class Grouping:
    """Ranked groups of runs, and the tests of the best against the others."""

    measure: Measure
    keys: tuple[str, ...]
    """the keys that are compared"""
    beside: tuple[str, ...]
    """the other keys in which the runs differ, the seed excluded"""
    groups: tuple[Group, ...]
    """the best first; groups with a run without a number come last"""
    intervals: tuple[Interval | None, ...]
    """the 95 % interval of each mean; None for fewer than two numbers"""
    comparison: Comparison | None
    """of the groups whose runs all have a number; None if there is no test"""
    unfinished: int
    """the number of runs that are left out because they have no result"""
    without_split: int
    """the number of runs that are left out because only others have a validation split"""
    without_metric: int
    """the number of runs that are left out because they lack the metric"""
    others: Mapping[str, int]
    """the number of runs that are left out because most have another objective, by theirs"""
    older: int
    """the number of runs that are left out because a newer one has the same values"""

    @property
    def compared(self) -> tuple[Group, ...]:
        """The groups whose runs all have a number, which come first."""
        return compared(self.groups)

    @property
    def unit(self) -> str:
        """The word for the numbers of a group."""
        return "runs" if self.beside else "seeds"


def grouped(
    runs: Sequence[Summary], keys: Sequence[str] | None = None, metric: str | None = None
) -> Grouping:
    """Group runs by keys and rank the groups by the mean of a metric.

    Args:
        runs: the runs, sweeps excluded.
        keys: the parameters to compare; None for all in which the runs differ, the seed excluded.
        metric: a metric; None for the objective that most runs have. It is measured on validation
            images if any of them has some; runs without are then left out.

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
    kept, measure = _of_objective(ended) if metric is None else _of_metric(ended, metric)
    differing = varied_keys(kept)
    for key in keys or ():
        _check_parameter(key, kept)
    chosen = tuple(keys if keys is not None else differing)
    beside = tuple(key for key in differing if key not in chosen)
    blocks = [key for key in (SEED, *beside) if key not in chosen]
    groups, older = _groups(kept, chosen, blocks, metric)
    groups = ordered(groups, measure)
    is_count = measure.is_share and len({r.tags.get("data_sha256") for r in kept}) == 1
    intervals, comparison = tested(groups, measure, counts=is_count)
    others = _others(ended) if metric is None else {}
    left_out = len(ended) - len(kept)
    return Grouping(
        measure=measure,
        keys=chosen,
        beside=beside,
        groups=tuple(groups),
        intervals=intervals,
        comparison=comparison,
        unfinished=len(runs) - len(ended),
        without_split=left_out - sum(others.values()) if metric is None else 0,
        without_metric=left_out if metric is not None else 0,
        others=others,
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


def _of_metric(ended: Sequence[Summary], metric: str) -> tuple[list[Summary], Measure]:
    """Return the runs that have a metric or diverged, and its measure.

    Raises:
        InputError: no run has the metric, or the runs do not agree on its direction.
    """
    if not any(metric in run.metrics for run in ended):
        raise _no_such_metric(metric, ended)
    kept = [run for run in ended if metric in run.metrics or run.diverged]
    return kept, Measure(metric, direction_of(metric, ended))


def _of_objective(ended: Sequence[Summary]) -> tuple[list[Summary], Measure]:
    """Return the runs that are ranked together, and the measure of their objective."""
    objective = most_frequent(run.ranked_by for run in ended)
    alike = [run for run in ended if run.ranked_by == objective]
    with_split = [run for run in alike if objective.is_validated(run.metrics)]
    if all(run.diverged for run in with_split):
        with_split = []  # they would hide all other runs
    return with_split or alike, objective.measure(validated=bool(with_split))


def _others(ended: Sequence[Summary]) -> Mapping[str, int]:
    objective = most_frequent(run.ranked_by for run in ended)
    others = (run.ranked_by for run in ended if run.ranked_by != objective)
    return Counter(other.beside(objective) for other in others)


def _no_such_metric(metric: str, ended: Sequence[Summary]) -> InputError:
    known = ", ".join(sorted({name for run in ended for name in run.metrics}))
    return InputError(f"--metric={metric}: no run has it; choose from {known}")


def _groups(
    runs: Sequence[Summary], keys: Sequence[str], blocks: Sequence[str], metric: str | None
) -> tuple[list[Group], int]:
    """Return the groups, and the number of older runs in the place of a newer one."""
    found: dict[Block, dict[Block, Summary]] = {}
    for run in sorted(runs, key=lambda each: each.begun):
        group = found.setdefault(tuple(run.params.get(key, "") for key in keys), {})
        group[tuple(run.params.get(key, "") for key in blocks)] = run
    groups = [
        _group({key: text for key, text in zip(keys, values, strict=True) if text}, members, metric)
        for values, members in found.items()
    ]
    return groups, len(runs) - sum(len(group.runs) for group in groups)


def _group(values: Mapping[str, str], runs: Mapping[Block, Summary], metric: str | None) -> Group:
    there = {block: run for block, run in runs.items() if not run.diverged}
    found = {
        block: run.objective if metric is None else run.metrics[metric]
        for block, run in there.items()
    }
    numbers = {block: value for block, value in found.items() if math.isfinite(value)}
    return Group(numbers, len(runs) - len(there), len(there) - len(numbers), values, runs)
