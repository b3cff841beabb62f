"""The command `experiments`: what there is to do with runs besides starting them."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from experiments.errors import InputError

_DEFAULT_URI = "sqlite:///mlflow.db"


def main() -> None:
    """Run one subcommand; wrong input ends with one line and exit code 2."""
    parser = argparse.ArgumentParser(prog="experiments", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    sync_parser = commands.add_parser("sync", help="deliver to MLflow what it has not taken yet")
    sync_parser.add_argument("folder", nargs="?", default="outputs", type=Path)
    sync_parser.add_argument(
        "--uri",
        default=os.environ.get("MLFLOW_TRACKING_URI", _DEFAULT_URI),
        help=f"MLflow's tracking address (default: MLFLOW_TRACKING_URI, else {_DEFAULT_URI})",
    )
    options = parser.parse_args()
    try:
        sys.exit(sync(options.folder, options.uri))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(2)


def sync(folder: Path, uri: str) -> int:
    """Deliver every ended run below `folder` that MLflow has not taken whole; return the exit code.

    Raises:
        InputError: there is no such folder.
    """
    from experiments import journal
    from experiments.tracking.delivery import Delivery
    from experiments.tracking.store import connect, problem_of

    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder; name the one that holds the runs")
    runs = [Delivery(path.parent, uri) for path in sorted(folder.rglob(journal.NAME))]
    left = [run for run in runs if run.ended and not run.complete]
    failed = 0
    for run in left:
        try:
            run.deliver(connect(uri))
        except Exception as error:  # noqa: BLE001  (said, and the other runs go on)
            failed += 1
            print(f"{run.folder}: {problem_of(error)}", file=sys.stderr)  # noqa: T201
        else:
            print(f"{run.folder}: MLflow run {run.run_id}")  # noqa: T201
    print(f"{len(left) - failed} delivered, {failed} failed, {len(runs) - len(left)} had no need")  # noqa: T201
    return 1 if failed else 0
