"""A run in a process that trains it with others and is not the first: it computes, and no more."""

from __future__ import annotations

import logging
import os
import warnings
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from omegaconf import DictConfig

from experiments.composition.hydra_config import checked
from experiments.distributed.team import join, leave
from experiments.distributed.together import agreeing, ending_together
from experiments.distributed.world import world
from experiments.errors import InputError, RunError
from experiments.identity.ingredients import ingredients_of
from experiments.process.signals import interruptible, postpone
from experiments.registry.objective import Objective
from experiments.run.prepare import assembled
from experiments.run.train_and_test import train_and_test
from experiments.tracking.current_run import trial
from experiments.tracking.silent import SilentRecorder


def follow(composed: DictConfig) -> NoReturn:
    """Train a run that rank 0 records, saves and prints; then end this process.

    Args:
        composed: the run's configuration, as Hydra has composed it.

    Raises:
        Silenced: the run does not begin, and another process says why.
        SystemExit: the run has ended, here with code 0, or by a failure of another process, which
            gives the reason.
        InputError: this process cannot train the run.
    """
    logging.getLogger().addHandler(logging.NullHandler())
    warnings.simplefilter("ignore")  # rank 0 shows the same ones
    try:
        with agreeing() as agree:
            config, parts = assembled(checked(composed))
            device = parts.device_kind
            told = ingredients_of(config, data_sha256=parts.splits.sha256, device=device)
            agree(told.identity)
    except (InputError, RunError) as error:
        raise type(error)(f"rank {world().rank}: {error}") from error
    postpone()
    with ending_together():
        parts = replace(parts, team=join(parts.device))
        folder = Path(os.fsdecode(parts.team.content_of_first(b"", parts.device)))
        recorder = SilentRecorder(folder, Objective.of_task(config.task))
        with interruptible(), trial():
            train_and_test(
                config=config,
                parts=parts,
                identity=told.identity,
                overrides=(),
                recorder=recorder,
                folder=folder,
                check=parts.team.check,
            )
        leave()
    raise SystemExit(0)
