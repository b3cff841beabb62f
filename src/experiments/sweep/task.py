"""What a launcher calls for each job: it has a worker train the job and notes what became of it.

The same on every launcher: the worker is a process of its own, so that a job that exits, is killed
or runs out of memory ends nothing but itself.
"""

from __future__ import annotations

import contextlib
import functools
import math
import os
import platform
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from experiments import journal
from experiments.composition.secret_overrides import conceal
from experiments.run.request import DELIVERED, number_of
from experiments.sweep.outcomes import Outcome, Outcomes
from experiments.worker.client import WorkerDiedError, worker

_LOOK_SECONDS = 1.0  # from one look at whether the sweep is alive to the next


@dataclass(frozen=True)
class Task:
    """Trains one job of a sweep; launchers send it to wherever they run jobs."""

    function: bytes
    """the program's main function, pickled"""
    sweep: Path
    """the sweep's folder"""
    turn: str
    """which of a restarted sweep's turns this is"""
    host: str
    pid: int
    """the sweep's process"""
    fail_fast: bool
    """whether no further job begins once one has failed"""

    def __call__(self, config: DictConfig) -> float:
        """Have a job trained; return what it returned, NaN where it did not finish."""
        self._end_with_the_sweep()
        try:
            return self._outcome(config)
        finally:
            conceal(config)  # the launcher may keep it in a file

    def _outcome(self, config: DictConfig) -> float:
        configs = {number_of(each.hydra): each for each in self._configs(config)}
        outcomes = Outcomes(self.sweep, self.turn)
        if self.fail_fast and outcomes.any_failed:
            for number in configs:
                reason = "not begun, as another job had failed"
                outcomes.write(Outcome(number, "held back", reason))
            return math.nan
        for number in configs:
            outcomes.write(Outcome(number, "running"))
        return self._see_through(configs, outcomes)[next(iter(configs))]

    def _see_through(
        self, configs: Mapping[int, DictConfig], outcomes: Outcomes
    ) -> Mapping[int, float]:
        """Have jobs trained and note what becomes of each; return what they returned."""
        objectives = dict.fromkeys(configs, math.nan)
        left = set(configs)
        rest = {"state": "interrupted", "reason": "interrupted"}

        def note(answer: Mapping[str, Any]) -> None:
            outcome = Outcome(**answer)
            if outcome.state != "running":
                left.discard(outcome.number)
                objectives[outcome.number] = outcome.objective
            with contextlib.suppress(FileNotFoundError):  # the sweep has begun another turn
                outcomes.write(outcome)

        try:
            for answer in self._train(list(configs.values())):
                note(answer)
        except Exception as error:
            rest = {"state": "failed", "reason": f"{type(error).__name__}: {error}"}
            raise
        except BaseException:  # Ctrl-C, or a scheduler's signal to the launcher's process
            for answer in worker().stop():
                note(answer)
            raise
        finally:
            for number in sorted(left):
                note({"number": number} | rest)
        return objectives

    def _train(self, configs: Sequence[DictConfig]) -> Iterator[dict[str, Any]]:
        """Yield what becomes of jobs; those that died together are tried each alone."""
        left = {number_of(config.hydra): config for config in configs}
        try:
            for answer in worker().ask({"function": self.function, "jobs": list(configs)}):
                if answer["state"] != "running":
                    left.pop(answer["number"], None)
                yield answer
        except WorkerDiedError as died:
            if len(configs) == 1:
                yield {
                    "number": number_of(configs[0].hydra),
                    "state": "failed",
                    "reason": str(died),
                }
                return
            for number, config in left.items():
                reason = f"alone from here on: as lanes of a stack {died}"
                yield {"number": number, "state": "running", "reason": reason}
                yield from self._train([config])

    def _configs(self, config: DictConfig) -> list[DictConfig]:
        """Return the configurations of what is trained for a job that a launcher has begun."""
        return [self._whole(config, HydraConfig.get())]

    def _whole(self, config: DictConfig, hydra: Any) -> DictConfig:
        """Return a job's configuration with Hydra's part, such that another process can read it."""
        with open_dict(config):
            config.hydra = hydra
        hydra = config.hydra
        with read_write(hydra), open_dict(hydra):
            # A launcher counts what it launches, not what there is.
            hydra.job.num = number_of(hydra)
            if platform.node() == self.host:
                hydra.job.env_set[DELIVERED] = "1"
            for plugin in ("launcher", "sweeper"):  # of classes that only this process has, perhaps
                hydra[plugin] = OmegaConf.to_container(hydra[plugin])
        return config

    def _end_with_the_sweep(self) -> None:
        """End this process once the sweep's is gone; its worker then saves a checkpoint and ends.

        That is what a launcher's process on the sweep's machine is to do, busy or not. One on
        another machine belongs to whoever gave the machine away.
        """
        if platform.node() == self.host and os.getpid() != self.pid:
            if not journal.is_open(self.sweep):
                os._exit(1)
            _watch(self.sweep)


@functools.lru_cache(maxsize=1)
def _watch(sweep: Path) -> None:
    def watch() -> None:
        while journal.is_open(sweep):
            time.sleep(_LOOK_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
