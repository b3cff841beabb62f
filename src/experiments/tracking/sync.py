"""`experiments sync`: deliver what MLflow has not taken yet, or all of it again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from experiments import journal
from experiments.errors import InputError
from experiments.journal import History
from experiments.tracking.copies import Copies
from experiments.tracking.delivery import Delivery
from experiments.tracking.problems import problem_of
from experiments.tracking.sqlite import sqlite_file
from experiments.tracking.store import address, connect

if TYPE_CHECKING:
    from mlflow import MlflowClient

_REBUILD = "`experiments sync --rebuild` brings them back"
Outcome = Literal["delivered", "failed", "still running", "had no need"]


@dataclass(frozen=True)
class Synced:
    """What became of one run."""

    folder: Path
    outcome: Outcome
    said: str = ""
    """why, in one line; nothing where a run before had the same reason"""


def sync(folder: Path, uri: str | None, *, rebuild: bool) -> Iterator[Synced]:
    """Deliver every run below `folder` that MLflow has not taken whole, the oldest first.

    A run whose process is gone without a word is delivered as KILLED; one that is still going on is
    left to its own delivery process. A run that was begun without tracking is delivered only to an
    address that is given; one that was asked for in several places is delivered to each.

    Args:
        folder: where to look for runs.
        uri: the tracking address; None for those where each run is to be.
        rebuild: restore what was deleted in MLflow, and deliver a run again, whole and under its
            old id, where the store has lost it. A server chooses its ids itself; what was added in
            the MLflow UI is in no journal.

    Raises:
        InputError: there is no such folder.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder; name the one that holds the runs")
    begun: list[History] = []
    for path in sorted(folder.rglob(journal.NAME)):
        try:
            begun.append(journal.history(path.parent))
        except InputError as error:
            yield Synced(path.parent, "failed", str(error))
    unusable: set[str] = set()
    for past in sorted(begun, key=lambda past: past.start.get("time", 0)):
        yield _sync(past, uri, rebuild=rebuild, unusable=unusable)


def _sync(past: History, uri: str | None, *, rebuild: bool, unusable: set[str]) -> Synced:
    folder = past.folder
    if not past.start:
        return Synced(folder, "had no need")
    if journal.is_open(folder):
        return Synced(folder, "still running")
    delivered: list[str] = []
    failed: list[str] = []
    for store in [uri] if uri else dict.fromkeys(copy.destination.store for copy in Copies(folder)):
        store = _with_password(store)
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
            elif not run.is_there:
                unusable.add(store)
                failed.append(f"{store}: has lost runs, or they are deleted there; {_REBUILD}")
        except Exception as error:  # noqa: BLE001  (said, and the other runs go on)
            failed.append(problem_of(error, store).text)
    if failed:
        return Synced(folder, "failed", "; ".join(filter(None, failed)))
    return Synced(folder, "delivered" if delivered else "had no need", ", ".join(delivered))


def _with_password(store: str) -> str:
    """Return a store's address as the environment has it; what is recorded holds no password."""
    known = os.environ.get("MLFLOW_TRACKING_URI", "")
    return known if known and address(known) == store else store


def _reached(store: str, unusable: set[str]) -> MlflowClient:
    """Return a client to a store; note where there is none, so that it is tried and said once."""
    database = sqlite_file(store)
    if database is not None and not database.parent.exists():
        unusable.add(store)
        raise InputError(f"{store}: its folder is gone; name the new place with --uri")
    try:
        return connect(store)
    except Exception:
        unusable.add(store)
        raise
