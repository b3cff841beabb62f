"""Hydra's results of jobs, without the configurations in them.

A launcher keeps the result of each job until all are over, and Hydra keeps two copies of the whole
configuration in each: 270 KB of memory a job, 2.7 GB for 10,000. A sweep reads only the status and
the value.
"""

from __future__ import annotations

import copy
from typing import Any

from hydra._internal.callbacks import Callbacks
from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from omegaconf import DictConfig


class WithoutConfigurations(Callback):
    """Drops the configurations from the result of each job, in the process that runs it."""

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_: Any) -> None:
        """Drop them, once the user's callbacks have seen them."""
        del config
        job_return.cfg = job_return.hydra_cfg = None


def without_configurations(callbacks: Callbacks) -> Callbacks:
    """Return a sweep's callbacks, with the one that drops the configurations at the end of a job.

    Hydra calls them in reverse order at the end of a job, so the first is the last.
    """
    added = copy.copy(callbacks)
    added.callbacks = [WithoutConfigurations(), *callbacks.callbacks]
    return added
