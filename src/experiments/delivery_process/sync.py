"""`experiments sync`: delivers the missing part of each run to MLflow, or all of it again."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from experiments import journal
from experiments.delivery_process.log_model import log_models
from experiments.errors import InputError, unreadable
from experiments.journal import History
from experiments.tracking.copies import Copies
from experiments.tracking.delivery import Delivery
from experiments.tracking.problems import problem_of
from experiments.tracking.sqlite import sqlite_file
from experiments.tracking.store import address, connect, same_store

if TYPE_CHECKING:
    from mlflow import MlflowClient

_REBUILD = "`experiments sync --rebuild` brings them back"
Outcome = Literal["delivered", "failed", "still running", "had no need"]


@dataclass(frozen=True)
class Synced:
    """The outcome for one run."""

    folder: Path
    outcome: Outcome
    said: str = ""
    """the details in one line; empty if an earlier run had the same problem"""
    mlflow_ids: Sequence[str] = ()
    """the ids of the MLflow runs that have all of it now, and had not before"""


def sync(folder: Path, uri: str | None, *, rebuild: bool) -> Iterator[Synced]:
    """Deliver every run below `folder` that MLflow does not have whole, the oldest first.

    A run whose process ended without recording an end is delivered as KILLED. A run that is alive
    is left to its own delivery process. A run that began without tracking is delivered only if
    `uri` is given. A run with several destinations is delivered to each.

    Args:
        folder: the folder that holds the runs.
        uri: the tracking address; None for each run's own destinations.
        rebuild: restore runs that were deleted in MLflow, and deliver runs that the store has lost
            in whole or in part again, whole and under their old ids. But a server chooses new ids,
            and no journal holds additions from the MLflow UI.

    Raises:
        InputError: there is no such folder.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder; name the folder that holds the runs")
    begun: list[History] = []
    closed: list[OSError] = []
    for place in journal.folders(folder, closed.append):
        try:
            begun.append(journal.history(place))
        except InputError as error:
            yield Synced(place, "failed", str(error))
    for refused in closed:
        place = Path(refused.filename)
        yield Synced(place, "failed", str(unreadable(refused, place)))
    unusable: set[str] = set()
    for past in sorted(begun, key=lambda past: past.start.get("time", 0)):
        yield _sync(past, uri, rebuild=rebuild, unusable=unusable)


def sync_one(folder: Path) -> Synced:
    """Deliver the data of one run or sweep that MLflow lacks, except its model.

    Args:
        folder: its folder.

    Raises:
        InputError: its journal is damaged.
    """
    return _sync(journal.history(folder), None, rebuild=False, unusable=set(), models=False)


def _sync(
    past: History, uri: str | None, *, rebuild: bool, unusable: set[str], models: bool = True
) -> Synced:
    folder = past.folder
    if not past.start:
        return Synced(folder, "had no need")
    if journal.is_open(folder):
        return Synced(folder, "still running")
    delivered: list[str] = []
    failed: list[str] = []
    ids: list[str] = []
    recorded = dict.fromkeys(address(copy.destination.store) for copy in Copies(folder))
    for store in [uri] if uri else map(with_login, recorded):
        if store in unusable:
            failed.append("")
            continue
        try:
            run = Delivery(folder, store)
            if rebuild and run.revive(_reached(store, unusable), everything=True):
                delivered.append(f"MLflow run {run.run_id}, restored")
            if not run.complete:
                run.deliver(_reached(store, unusable), abandoned=True)
                delivered.append(f"MLflow run {run.run_id}")
                ids += [copy.run_id for copy in run.copies if copy.run_id]
            elif not run.is_there:
                unusable.add(store)
                failed.append(f"{store}: has lost runs, or they are deleted there; {_REBUILD}")
                continue
            logged = _models(run, store, unusable) if models else []
            delivered += [f"model {each}" for each in logged]
        except Exception as error:  # noqa: BLE001  (reported; the other runs go on)
            failed.append(problem_of(error, store).text)
    if failed:
        return Synced(folder, "failed", "; ".join(filter(None, failed)), ids)
    outcome: Outcome = "delivered" if delivered else "had no need"
    return Synced(folder, outcome, ", ".join(delivered), ids)


def _models(run: Delivery, store: str, unusable: set[str]) -> list[str]:
    """Log the models that a run lacks in a store; return their ids."""
    if not run.lacks_model:
        return []
    return log_models(_reached(store, unusable), store, run.folder)


def with_login(store: str) -> str:
    """Return a store's address as in the environment, since a recorded one has no login."""
    known = os.environ.get("MLFLOW_TRACKING_URI", "")
    return known if known and same_store(store, address(known)) else store


def _reached(store: str, unusable: set[str]) -> MlflowClient:
    """Return a client to a store; note an unusable store, so that it is tried and reported once."""
    database = sqlite_file(store)
    if database is not None and not database.parent.exists():
        unusable.add(store)
        raise InputError(f"{store}: its folder is gone; name the new place with --uri")
    try:
        return connect(store)
    except Exception:
        unusable.add(store)
        raise
