"""The command `experiments`: deliver runs to MLflow, and prove that runs resume exactly."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from importlib import metadata
from pathlib import Path

from experiments.errors import InputError, RunError
from experiments.process.colour import print_error
from experiments.process.signals import raising
from experiments.process.streams import guarded_output


@guarded_output()
def main() -> None:
    """Run one subcommand; wrong input ends with one line and exit code 2, like train.py."""
    parser = argparse.ArgumentParser(prog="experiments", description=__doc__)
    version = metadata.version("experiments")
    parser.add_argument("--version", action="version", version=f"experiments {version}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_sync(commands.add_parser("sync", help="deliver the data of runs that MLflow lacks"))
    _add_verify_resume(
        commands.add_parser(
            "verify-resume",
            help="prove on this machine that a killed and resumed run gives the same bits",
        )
    )
    _add_ui(commands.add_parser("ui", help="open the MLflow UI at the view of the runs"))
    options = parser.parse_args()
    try:
        with raising():
            sys.exit(options.run(options))
    except (InputError, RunError) as error:
        print_error(_in_one_line(str(error)))
        sys.exit(1 if isinstance(error, RunError) else 2)


def _in_one_line(text: str) -> str:
    return " ".join(text.split())


def _add_sync(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", nargs="?", default="outputs", type=Path)
    parser.add_argument(
        "--uri", help="MLflow's tracking address (default: wherever each run was asked for)"
    )
    parser.add_argument(
        "--rebuild",
        action="store_true",
        help="also restore deleted runs and experiments, and deliver lost runs again",
    )
    parser.set_defaults(run=_sync)


def _sync(options: argparse.Namespace) -> int:
    sys.path.insert(0, str(Path.cwd()))  # a model's class may lie beside train.py
    from experiments.delivery_process.sync import sync

    counts = Counter({"delivered": 0, "failed": 0, "still running": 0, "had no need": 0})
    for run in sync(options.folder, options.uri, rebuild=options.rebuild):
        counts[run.outcome] += 1
        if run.said:
            stream = sys.stderr if run.outcome == "failed" else sys.stdout
            print(f"{run.folder}: {_in_one_line(run.said)}", file=stream)
    print(", ".join(f"{count} {outcome}" for outcome, count in counts.items()))  # noqa: T201
    return 1 if counts["failed"] else 0


def _add_ui(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--uri", help="MLflow's tracking address (default: MLFLOW_TRACKING_URI, or mlflow.db here)"
    )
    parser.add_argument("--port", type=int, help="(default: 5000, as in the printed links)")
    parser.add_argument("--no-browser", action="store_true", help="print the address only")
    parser.set_defaults(run=_ui)


def _ui(options: argparse.Namespace) -> int:
    from experiments.tracking.ui import show

    show(options.uri, options.port, _say, browser=not options.no_browser)
    return 0


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


def _add_verify_resume(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("overrides", nargs="*", help="as for train.py, such as optimizer=adamw")
    parser.add_argument("--kills", type=int, default=3, help="how often to kill (default: 3)")
    parser.set_defaults(run=_verify_resume)


def _verify_resume(options: argparse.Namespace) -> int:
    from experiments.run.verify_resume import verify_resume

    if options.kills < 1:
        raise InputError(f"--kills={options.kills}: it should be at least 1")
    return 0 if verify_resume(options.overrides, options.kills, print) else 1
