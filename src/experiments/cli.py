"""The command `experiments`: what there is to do with runs besides starting them."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from experiments.errors import InputError


def main() -> None:
    """Run one subcommand; wrong input ends with one line and exit code 2."""
    parser = argparse.ArgumentParser(prog="experiments", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    sync_parser = commands.add_parser("sync", help="deliver to MLflow what it has not taken yet")
    sync_parser.add_argument("folder", nargs="?", default="outputs", type=Path)
    sync_parser.add_argument(
        "--uri", help="MLflow's tracking address (default: the one that each run was begun with)"
    )
    options = parser.parse_args()
    try:
        sys.exit(sync(options.folder, options.uri))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(2)


def sync(folder: Path, uri: str | None) -> int:
    """Deliver every run below `folder` that MLflow has not taken whole; return the exit code.

    A run whose process is gone without a word is delivered as KILLED; one that is still going on is
    left to its own delivery process. A run that was begun without tracking is delivered only to an
    address that is given.

    Raises:
        InputError: there is no such folder.
    """
    from experiments import journal

    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder; name the one that holds the runs")
    counts = {"delivered": 0, "failed": 0, "still running": 0, "had no need": 0}
    for path in sorted(folder.rglob(journal.NAME)):
        counts[_sync_run(path.parent, uri)] += 1
    print(", ".join(f"{count} {what}" for what, count in counts.items()))  # noqa: T201
    return 1 if counts["failed"] else 0


def _sync_run(folder: Path, uri: str | None) -> str:
    from experiments import journal
    from experiments.tracking.delivery import Delivery
    from experiments.tracking.problems import problem_of
    from experiments.tracking.store import connect

    store = None
    try:
        store = uri or journal.history(folder).start.get("store")
        if store is not None and "***" in store:
            # The journal does not hold the password; the environment may.
            store = os.environ.get("MLFLOW_TRACKING_URI", store)
        run = Delivery(folder, store or "")
        if store is None or run.complete:
            return "had no need"
        if journal.is_open(folder):
            return "still running"
        run.deliver(connect(store), abandoned=True)
    except Exception as error:  # noqa: BLE001  (said, and the other runs go on)
        print(f"{folder}: {problem_of(error, store or '').text}", file=sys.stderr)  # noqa: T201
        return "failed"
    print(f"{folder}: MLflow run {run.run_id}")  # noqa: T201
    return "delivered"
