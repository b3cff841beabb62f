"""The sweeper `grid`: all combinations, planned before the first job; see `experiments.sweep`.

Hydra imports this file at every start, so it imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class GridSweeper(Sweeper):
    """Plans a sweep over all combinations and runs the jobs that are not finished."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._params = params

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keep Hydra's arguments."""
        self._given = hydra_context, task_function, config

    def sweep(self, arguments: list[str]) -> Any:
        """Run the sweep over the values in the arguments and in `params`."""
        from experiments.sweep.run_sweep import run_grid

        params = [f"{key}={value}" for key, value in self._params.items()]
        return run_grid(*self._given, params + arguments)
