"""The earlier run of an identity: its state, its place, its result."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from experiments.errors import AliveError
from experiments.journal import History
from experiments.registry.objective import Objective

State = Literal["finished", "dead", "alive"]
MEASURES = "mlflow.experiments.measures"
"""the tag with the SHA-256 of each metric of a run, by name, as JSON"""
REDEFINED = "redefined"
"""the tag with the metrics of a run whose earlier points are of another definition. The journal
tells which; MLflow, which forgets no point, still shows them"""
WARNING = "warning"
"""the tag of a run with a result of little use, such as `at chance level: …`, and its reason"""
RANK: Mapping[State, int] = {"finished": 0, "alive": 1, "dead": 2}  # the lowest rank decides


@dataclass(frozen=True)
class Result:
    """The result of a run."""

    metrics: Mapping[str, float]
    """the last value of each metric"""
    diverged: bool
    ranked_by: Objective = field(default_factory=Objective)

    @property
    def objective(self) -> float:
        """The value of its objective; NaN if the run diverged or has no value yet.

        With a validation split it is that of the validation images in the epoch that was tested,
        without one that of the test images.
        """
        return math.nan if self.diverged else self.ranked_by.value(self.metrics)


@dataclass(frozen=True)
class Earlier:
    """The earlier run of an identity."""

    state: State
    folder: Path | None
    """the run's folder; None if it is on another machine"""
    host: str
    pid: int
    metrics: Mapping[str, float] = field(default_factory=dict, compare=False)
    """the last value of each metric"""
    run_id: str | None = None
    """the id of its MLflow run, if it was found in MLflow"""
    diverged: bool = False
    warning: str = ""
    """the reason why its result is of little use, such as `at chance level: …`"""
    ranked_by: Objective = field(default_factory=Objective)
    measures: Mapping[str, str] = field(default_factory=dict, compare=False)
    """the SHA-256 of each metric that was measured, by name"""

    @property
    def objective(self) -> float:
        """The value of its objective; NaN if the run is not finished."""
        if self.state != "finished":
            return math.nan
        return Result(self.metrics, self.diverged, self.ranked_by).objective

    def lacks(self, wanted: Mapping[str, str]) -> tuple[str, ...]:
        """Return the metrics that a finished run was not measured by, or by another definition.

        A run that diverged has no weights to measure, so it lacks none.

        Args:
            wanted: the SHA-256 of each metric, by name.
        """
        if self.state != "finished" or self.diverged:
            return ()
        return tuple(name for name in wanted if self.measures.get(name) != wanted[name])

    def answers(self, wanted: Mapping[str, str], objective: Objective) -> bool:
        """Return whether it was measured by all metrics and ranked by the objective.

        Args:
            wanted: the SHA-256 of each metric, by name.
            objective: the objective that it should be ranked by.
        """
        return not self.lacks(wanted) and (self.ranked_by == objective or self.diverged)

    def refuse_alive(self) -> None:
        """Refuse a run that a process is training.

        Raises:
            AliveError: a process is training it.
        """
        if self.state == "alive":
            where = "" if self.folder is None else f" in {os.path.relpath(self.folder)}"
            # A process that has just opened the journal has not written its host and id there yet.
            who = f"process {self.pid} on {self.host}" if self.pid else "another process"
            raise AliveError(
                f"this run is being trained{where} by {who}; wait for it, or stop it and repeat "
                "the command, which then resumes it"
            )


def redefined(past: History, tags: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """Return the keys whose points in a journal are of another definition than a command's.

    Args:
        past: the run's history.
        tags: those of the command, with its `MEASURES`.

    Returns:
        The keys, and the tag to record with them, which is empty without any.
    """
    told = {**past.start.get("tags", {}), **past.tags}
    before, now = (json.loads(each.get(MEASURES, "{}")) for each in (told, tags))
    recorded = {key for key, _ in past.points}
    keys = {
        name: recorded.intersection(Objective(name).keys)
        for name in now
        if before.get(name) != now[name]
    }
    names = {name for name in keys if keys[name]}
    if not names:
        return [], {}
    names.update(filter(None, told.get(REDEFINED, "").split(", ")))
    return sorted(set().union(*keys.values())), {REDEFINED: ", ".join(sorted(names))}


def foremost(*found: Earlier | None) -> Earlier | None:
    """Return the run that decides: finished before alive before dead; among equals, the first."""
    there = [earlier for earlier in found if earlier is not None]
    return min(there, key=lambda earlier: RANK[earlier.state], default=None)
