"""A request for a run: who asks for it, and the facts that a sweep tells its job.

A sweep tells them by the environment that Hydra sets for a job.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.types import RunMode

from experiments.composition.hydra_config import typed

NUMBER = "EXPERIMENTS_JOB"
"""the job's number in the sweep"""
SOURCE = "EXPERIMENTS_SOURCE"
"""the SHA-256 of the source that the sweep was planned with"""
PLANNED = "EXPERIMENTS_PLANNED"
"""the identity that the sweep planned it under where it could not know the device, or nothing"""
DELIVERED = "EXPERIMENTS_DELIVERED"
"""whether the sweep asks MLflow and delivers to it, so that the job need not: 1 or nothing"""


@dataclass(frozen=True)
class Request:
    """Who asks for a run, beside the run's configuration."""

    overrides: Sequence[str]
    """as they were typed"""
    folder: str
    """for a new run"""
    sweep: Path | None = None
    """the folder of the sweep that the run is a job of"""
    planned_source: str = ""
    """the SHA-256 of the source that the sweep was planned with"""
    planned_identity: str = ""
    """the identity in the sweep's plan where it could not know the device"""
    is_delivered: bool = False
    """whether the sweep asks MLflow and delivers to it"""


def request_of(hydra: Any) -> Request:
    """Return the request that Hydra's part of a configuration describes."""
    told = hydra.job.env_set
    return Request(
        overrides=typed(hydra.overrides.task),
        folder=hydra.runtime.output_dir,
        sweep=Path(hydra.sweep.dir) if hydra.mode is RunMode.MULTIRUN else None,
        planned_source=told.get(SOURCE, ""),
        planned_identity=told.get(PLANNED, ""),
        is_delivered=bool(told.get(DELIVERED)),
    )


def number_of(hydra: Any) -> int:
    """Return a job's number in its sweep, from Hydra's part of its configuration."""
    return int(hydra.job.env_set[NUMBER])
