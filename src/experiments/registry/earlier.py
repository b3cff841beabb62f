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
RANK: Mapping[State, int] = {"finished": 0, "alive": 1, "dead": 2}  # which of several runs decides


@dataclass(frozen=True)
class Result:
    """The result of a run."""

    metrics: Mapping[str, float]
    """the last value of each metric"""
    diverged: bool

    @property
    def objective(self) -> float:
        """The value that a sweep may maximise, 0 to 1; NaN where there is nothing to rank.

        The validation accuracy of the epoch that was tested where there is a validation split, else
        the test accuracy.
        """
        keys = ("best_val_accuracy", "val_accuracy", "test_accuracy")
        found = [self.metrics[key] for key in keys if key in self.metrics]
        return found[0] if found and not self.diverged else math.nan


@dataclass(frozen=True)
class Earlier:
    """The earlier run of an identity."""

    state: State
    folder: Path | None
    """where it is; None on another machine"""
    host: str
    pid: int
    metrics: Mapping[str, float] = field(default_factory=dict, compare=False)
    """the last value of each metric"""
    run_id: str | None = None
    """its MLflow run, where it was found there"""
    diverged: bool = False

    @property
    def objective(self) -> float:
        """That of its result; NaN where it is not finished."""
        return (
            Result(self.metrics, self.diverged).objective if self.state == "finished" else math.nan
        )

    def refuse_alive(self) -> None:
        """Refuse where a process is training it.

        Raises:
            AliveError: one is.
        """
        if self.state == "alive":
            where = "" if self.folder is None else f" in {os.path.relpath(self.folder)}"
            # Between opening its journal and the first line in it, a process has not said its name.
            who = f"process {self.pid} on {self.host}" if self.pid else "another process"
            raise AliveError(
                f"this run is being trained{where} by {who}; wait for it, or stop it and repeat "
                "the command, which then continues it"
            )


def foremost(*found: Earlier | None) -> Earlier | None:
    """Return the run that decides: one finished before one alive before one dead, then in order."""
    there = [earlier for earlier in found if earlier is not None]
    return min(there, key=lambda earlier: RANK[earlier.state], default=None)
