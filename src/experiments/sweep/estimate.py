"""How long a sweep may take, told from the epochs of finished runs."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping
from pathlib import Path

from experiments import journal
from experiments.errors import InputError
from experiments.registry.claims import newest
from experiments.sweep.jobs import Plan

_LOOKED_AT = 50  # of the newest runs


def seconds_of_training(plan: Plan, outputs: Path) -> float | None:
    """Return the seconds that the jobs left may train, one after the other.

    None where a job has no finished run of the same data, model and batch size to tell it from,
    and where there is none left.
    """
    left = plan.of("new", "to continue")
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
            continue  # the command that it concerns will say so
        seconds = [value for (key, _), value in past.points.items() if key == "epoch_seconds"]
        if seconds and "params" in past.start:
            known.setdefault(_kind(past.start["params"]), []).extend(seconds)
    total = 0.0
    for job in left:
        found = known.get(_kind(job.config.leaves()))
        if found is None:
            return None
        total += statistics.median(found) * job.config.trainer.epochs
    return total


def _kind(params: Mapping[str, str]) -> str:
    """Return what the time of an epoch depends on."""
    told = {
        key: value
        for key, value in params.items()
        if key.startswith(("data.", "model.", "trainer.limit", "trainer.threads", "trainer.device"))
    }
    return json.dumps(told, sort_keys=True)
