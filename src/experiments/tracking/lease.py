"""The lease: proof that a run on another machine is alive.

While a run's process lives, its delivery process renews the tag `HEARTBEAT`. On one file system the
lock on the journal is an exact and immediate proof. Across machines a run counts as dead if its tag
was not renewed for `LEASE_SECONDS`. This is long enough for clocks that differ by minutes, as in
Kerberos.
"""

from __future__ import annotations

import platform
import time
from pathlib import Path
from typing import TYPE_CHECKING

from experiments import journal
from experiments.errors import InputError
from experiments.tracking.tag_names import HEARTBEAT, JOURNAL

if TYPE_CHECKING:
    from mlflow.entities import Run

HEARTBEAT_SECONDS = 15.0
LEASE_SECONDS = 300.0


def now() -> str:
    """Return the value that renews a lease: milliseconds since 1970."""
    return str(time.time_ns() // 1_000_000)


def folder_of(run: Run) -> Path | None:
    """Return the run's folder if it is on this file system, with a journal that can be read."""
    folder = Path(run.data.tags.get("folder", ""))
    try:
        begun = journal.history(folder).start.get("id")
    except (InputError, OSError):  # damaged, or another user's: `experiments sync` reports it
        return None
    return folder if begun is not None and begun == run.data.tags.get(JOURNAL) else None


def is_alive(run: Run) -> bool:
    """Return whether a process is training the run; False if its status is not RUNNING."""
    if run.info.status != "RUNNING":
        return False
    if (folder := folder_of(run)) is not None:
        if journal.is_open(folder):
            return True
        if run.data.tags.get("host") == platform.node():
            return False
    renewed = run.data.tags.get(HEARTBEAT, "")
    return renewed.isdecimal() and time.time() - int(renewed) / 1000 < LEASE_SECONDS
