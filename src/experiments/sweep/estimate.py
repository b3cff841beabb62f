"""An estimate of a sweep's duration, from the epoch times of finished runs."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping
from pathlib import Path

from experiments import journal
from experiments.config.from_data import FILLED_IN
from experiments.errors import InputError
from experiments.registry.identities import newest
from experiments.sweep.jobs import Plan

_LOOKED_AT = 50  # of the newest runs


def seconds_of_training(plan: Plan, outputs: Path) -> float | None:
    """Return the estimated seconds of training for the jobs left, one after the other.

    The estimate of a job is its number of epochs times the median epoch time of runs with the same
    data, model, batch size, threads and device. None if a job has no such run, or no job is left.
    """
    left = plan.of("new", "to resume")
    if not left:
        return None
    folders = {job.earlier.folder for job in plan.of("finished") if job.earlier}
    folders |= set(newest(outputs, _LOOKED_AT))
    known: dict[str, list[float]] = {}
    for folder in folders:
        if folder is None or not (folder / journal.NAME).exists():
            continue
        try:
            past = journal.history(folder)
        except InputError:
            continue  # the command that needs this run reports the damage
        seconds = [value for (key, _), value in past.points.items() if key == "epoch_seconds"]
        if seconds and "params" in past.start:
            known.setdefault(_kind(past.start["params"]), []).extend(seconds)
    usual = {kind: statistics.median(seconds) for kind, seconds in known.items()}
    total = 0.0
    for job in left:
        kind = _kind(job.config.leaves())
        if kind not in usual:
            return None
        total += usual[kind] * job.config.trainer.epochs
    return total


def _kind(params: Mapping[str, str]) -> str:
    """Return the parameters that determine the time of an epoch, as one key."""
    told = {
        key: value
        for key, value in params.items()
        if key.startswith(("data.", "model.", "trainer.limit", "trainer.threads", "trainer.device"))
        and key not in FILLED_IN  # the data and the class determine them
    }
    return json.dumps(told, sort_keys=True)
