"""The earlier run of an identity: its state, its place, its result."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from experiments.errors import AliveError

State = Literal["finished", "dead", "alive"]
WARNING = "warning"
"""the tag of a run with a result of little use, such as `at chance level: …`, and its reason"""
RANK: Mapping[State, int] = {"finished": 0, "alive": 1, "dead": 2}  # the lowest rank decides


@dataclass(frozen=True)
class Result:
    """The result of a run."""

    metrics: Mapping[str, float]
    """the last value of each metric"""
    diverged: bool

    @property
    def objective(self) -> float:
        """The value that a sweep may maximise, 0 to 1; NaN if the run diverged or has no value yet.

        With a validation split it is the validation accuracy of the epoch that was tested, without
        one the test accuracy.
        """
        keys = ("best_val_accuracy", "val_accuracy", "test_accuracy")
        found = [self.metrics[key] for key in keys if key in self.metrics]
        return found[0] if found and not self.diverged else math.nan


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

    @property
    def objective(self) -> float:
        """The objective of its result; NaN if the run is not finished."""
        return (
            Result(self.metrics, self.diverged).objective if self.state == "finished" else math.nan
        )

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


def foremost(*found: Earlier | None) -> Earlier | None:
    """Return the run that decides: finished before alive before dead; among equals, the first."""
    there = [earlier for earlier in found if earlier is not None]
    return min(there, key=lambda earlier: RANK[earlier.state], default=None)
