"""The function that launchers call for each job: it has a worker train it and writes the outcome.

It is the same on every launcher. The worker is a separate process, so a job that exits, is killed
or runs out of memory ends no other job.
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
from experiments.sweep.gpus import take_gpus
from experiments.sweep.outcomes import Outcome, Outcomes
from experiments.worker.client import WorkerDiedError, worker

_LOOK_SECONDS = 1.0  # between two checks whether the sweep is alive


@dataclass(frozen=True)
class Task:
    """Trains one job of a sweep; launchers send it to the process that runs the job."""

    function: bytes
    """the program's main function, pickled"""
    sweep: Path
    """the sweep's folder"""
    turn: str
    """the name of the turn; each command that runs the sweep is a turn"""
    host: str
    """the machine of the sweep's process"""
    pid: int
    """the id of the sweep's process"""
    fail_fast: bool
    """whether no further job begins once one has failed"""

    def __call__(self, config: DictConfig) -> float:
        """Have a job trained; return its objective, NaN if it diverged or failed."""
        self._end_with_the_sweep()
        if platform.node() == self.host and os.getpid() != self.pid:
            take_gpus(config.trainer.device, config.sweep.gpus_per_job)
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
        """Have jobs trained and write the outcome of each; return their objectives by number."""
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
        """Yield the outcomes of jobs; if they die as lanes together, each is tried again alone."""
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
        """Return the configurations of all jobs that one call of the launcher trains."""
        return [self._whole(config, HydraConfig.get())]

    def _whole(self, config: DictConfig, hydra: Any) -> DictConfig:
        """Return a job's configuration with Hydra's part, readable by another process."""
        with open_dict(config):
            config.hydra = hydra
        hydra = config.hydra
        with read_write(hydra), open_dict(hydra):
            # A launcher numbers the jobs that it launches, not all jobs of the sweep.
            hydra.job.num = number_of(hydra)
            if platform.node() == self.host:
                hydra.job.env_set[DELIVERED] = "1"
            for plugin in ("launcher", "sweeper"):  # the other process may lack their classes
                hydra[plugin] = OmegaConf.to_container(hydra[plugin])
        return config

    def _end_with_the_sweep(self) -> None:
        """End this process once the sweep's is gone; its worker then saves a checkpoint and ends.

        This holds for a launcher's process on the sweep's machine, busy or not. On another machine
        the scheduler decides.
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
