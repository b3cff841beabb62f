"""The launcher `vectorized`: trains similar jobs as one; see `experiments.sweep.vectorized`.

Hydra imports this file at every start, so it imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class VectorizedLauncher(Launcher):
    """Sends jobs that can share a stack to a worker together, through another launcher."""

    def __init__(self, workers: DictConfig, lanes: int | None) -> None:
        del workers  # `setup` reads them from the whole configuration
        self._lanes = lanes

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keep Hydra's arguments, and check that the other launcher can be used."""
        from experiments.sweep.launchers import make_workers
        from experiments.sweep.vectorized import check_lanes

        self._lanes = check_lanes(self._lanes)
        make_workers(hydra_context, task_function, config)
        self._given: dict[str, Any] = {
            "context": hydra_context,
            "task": task_function,
            "config": config,
        }

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Launch jobs; return Hydra's result for each."""
        from experiments.sweep.vectorized import launch

        return launch(
            self._lanes,
            **self._given,
            job_overrides=job_overrides,
            first=initial_job_idx,
        )
