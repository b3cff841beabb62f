"""A request for a run: the overrides and the folder, and for a job the facts from its sweep.

A sweep passes these facts in the environment variables that Hydra sets for a job.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.types import RunMode
from omegaconf import OmegaConf

from experiments.composition.hydra_config import typed
from experiments.composition.run_names import is_noise, run_name
from experiments.redaction.hide import hidden, hidden_data

NUMBER = "EXPERIMENTS_JOB"
"""the job's number in the sweep"""
SOURCE = "EXPERIMENTS_SOURCE"
"""the SHA-256 of the source that the sweep was planned with"""
PLANNED = "EXPERIMENTS_PLANNED"
"""the identity in the sweep's plan if the plan did not know the device; otherwise empty"""
VARIED = "EXPERIMENTS_VARIED"
"""the keys that vary between the jobs of the sweep, separated by spaces"""
DELIVERED = "EXPERIMENTS_DELIVERED"
"""1 if the sweep asks MLflow and delivers to it in place of the job; otherwise empty"""


@dataclass(frozen=True)
class Request:
    """The facts of a run beside its configuration."""

    overrides: Sequence[str] = field(repr=False)
    """the overrides as they were typed, perhaps with secrets"""
    folder: str
    """the folder of a new run; empty before Hydra has chosen it"""
    sweep: Path | None = None
    """the folder of the sweep; None if the run is not a job of one"""
    planned_source: str = ""
    """the SHA-256 of the source that the sweep was planned with"""
    planned_identity: str = ""
    """the identity in the sweep's plan if the plan did not know the device"""
    is_delivered: bool = False
    """whether the sweep asks MLflow and delivers to it in place of the job"""
    varied: Sequence[str] = ()
    """the keys that vary between the jobs of the sweep"""
    choices: Mapping[str, str] = field(default_factory=dict)
    """the chosen option of each group that may change a result, such as `optimizer`: `sgd`"""

    @property
    def is_planned(self) -> bool:
        """Whether the sweep has tried the job's first step on its device, and asked MLflow."""
        return self.is_delivered and not self.planned_identity

    @property
    def shown(self) -> Sequence[str]:
        """The overrides without secrets."""
        return list(hidden_data(self.overrides))

    def name(self, given: str | None) -> str:
        """Return the name of the run in MLflow, without secrets.

        Args:
            given: the name in the configuration, to which a job adds its varied values.
        """
        return run_name(self.shown, self.varied, given and hidden(given))


def request_of(hydra: Any) -> Request:
    """Return the request that Hydra's part of a configuration describes."""
    told = hydra.job.env_set
    return Request(
        overrides=typed(hydra.overrides.task),
        folder=OmegaConf.select(hydra, "runtime.output_dir") or "",
        sweep=Path(hydra.sweep.dir) if hydra.mode is RunMode.MULTIRUN else None,
        planned_source=told.get(SOURCE, ""),
        planned_identity=told.get(PLANNED, ""),
        is_delivered=bool(told.get(DELIVERED)),
        varied=told.get(VARIED, "").split(),
        choices={
            group: str(option)
            for group, option in hydra.runtime.choices.items()
            if option is not None and not is_noise(group)
        },
    )


def number_of(hydra: Any) -> int:
    """Return a job's number in its sweep, from Hydra's part of its configuration."""
    return int(hydra.job.env_set[NUMBER])
