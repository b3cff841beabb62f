"""`experiments sync`: deliver what MLflow has not taken yet, or all of it again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from experiments import journal
from experiments.errors import InputError
from experiments.journal import History
from experiments.tracking.delivery import Delivery
from experiments.tracking.problems import problem_of
from experiments.tracking.store import address, connect, sqlite_file

Outcome = Literal["delivered", "failed", "still running", "had no need"]


@dataclass(frozen=True)
class Synced:
    """What became of one run."""

    folder: Path
    outcome: Outcome
    said: str = ""


def sync(folder: Path, uri: str | None, *, rebuild: bool) -> Iterator[Synced]:
    """Deliver every run below `folder` that MLflow has not taken whole, the oldest first.

    A run whose process is gone without a word is delivered as KILLED; one that is still going on is
    left to its own delivery process. A run that was begun without tracking is delivered only to an
    address that is given.

    Args:
        folder: where to look for runs.
        uri: the tracking address; None for the one that each run was begun with.
        rebuild: deliver a run again, whole and under its old id, where the store has lost it. A
            server chooses its ids itself; what was added in the MLflow UI is in no journal.

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
    for past in sorted(begun, key=lambda past: past.start.get("time", 0)):
        yield _sync(past, uri, rebuild=rebuild)


def _sync(past: History, uri: str | None, *, rebuild: bool) -> Synced:
    folder, store = past.folder, uri or past.store
    if store is None or not past.start:
        return Synced(folder, "had no need")
    known = os.environ.get("MLFLOW_TRACKING_URI", "")
    if address(known) == store:
        store = known  # with the password, which the journal does not hold
    database = sqlite_file(store)
    if database is not None and not database.parent.exists():
        return Synced(
            folder, "failed", f"{store}: its folder is gone; name the new place with --uri"
        )
    try:
        run = Delivery(folder, store)
        if journal.is_open(folder):
            return Synced(folder, "still running")
        if rebuild:
            run.forget_if_lost(connect(store))
        if run.complete:
            return Synced(folder, "had no need")
        run.deliver(connect(store), abandoned=True)
    except Exception as error:  # noqa: BLE001  (said, and the other runs go on)
        return Synced(folder, "failed", problem_of(error, store).text)
    return Synced(folder, "delivered", f"MLflow run {run.run_id}")
