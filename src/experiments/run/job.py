"""A job of a sweep: what the sweep tells it, by the environment that Hydra sets, and its log."""

from __future__ import annotations

import logging
from typing import Any

from hydra.core.utils import configure_log
from omegaconf import DictConfig

NUMBER = "EXPERIMENTS_JOB"
"""the job's number in the sweep"""
SOURCE = "EXPERIMENTS_SOURCE"
"""the SHA-256 of the source that the sweep was planned with"""
PLANNED = "EXPERIMENTS_PLANNED"
"""the identity that the sweep planned it under where it could not know the device, or nothing"""
DELIVERED = "EXPERIMENTS_DELIVERED"
"""whether the sweep asks MLflow and delivers to it, so that the job need not: 1 or nothing"""


def number_of(hydra: Any) -> int:
    """Return a job's number in its sweep, from Hydra's part of its configuration."""
    return int(hydra.job.env_set[NUMBER])


def own_log(config: DictConfig) -> list[logging.Handler]:
    """Set a job's logging up as Hydra does, and return its handlers in place of using them.

    Those are the ones that write to files: the console of a job is its log. `HydraConfig` must hold
    the job's configuration.
    """
    configure_log(config.hydra.job_logging, config.hydra.verbose)
    root = logging.getLogger()
    handlers, root.handlers = root.handlers, []
    return [handler for handler in handlers if isinstance(handler, logging.FileHandler)]
