"""The metrics of runs: those that compare them, and the direction in which each is better."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from experiments.catalog.summary import Summary
from experiments.errors import InputError
from experiments.registry.objective import Direction, Objective

_PREFIXES = ("best_val_", "val_", "test_")
_LOWER = ("loss", "error", "seconds")


def keys_of(objectives: Iterable[Objective]) -> list[str]:
    """Return the metrics that tell objectives, each once."""
    return list(dict.fromkeys(key for objective in objectives for key in objective.keys))


def direction_of(metric: str, runs: Sequence[Summary]) -> Direction:
    """Return the direction in which a metric is better.

    The task of the runs tells it for the loss and its metrics. Of another metric the name decides:
    a smaller value is better if it ends in loss, error or seconds.

    Raises:
        InputError: the tasks of the runs do not agree.
    """
    told = {each for run in runs if metric in run.metrics and (each := _told(metric, run))}
    if len(told) > 1:
        raise InputError(
            f"--metric={metric}: some runs maximize it and others minimize it; choose runs with a "
            "filter, such as task=classification"
        )
    return told.pop() if told else "minimize" if metric.endswith(_LOWER) else "maximize"


def _told(metric: str, run: Summary) -> Direction | None:
    """Return the direction that the task of a run tells for a metric."""
    name = next((metric.removeprefix(each) for each in _PREFIXES if metric.startswith(each)), None)
    if name is None or name == "loss":
        return None
    if name == run.ranked_by.name:
        return run.ranked_by.direction
    match run.params.get(f"task.metrics.{name}.direction"):
        case "minimize":
            return "minimize"
        case "maximize":
            return "maximize"
        case _:
            return None
