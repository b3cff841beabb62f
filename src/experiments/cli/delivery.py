"""The commands about MLflow: `sync` and `ui`."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from experiments.cli.options import Json

Uri = Annotated[str | None, typer.Option(metavar="URI", help="MLflow's tracking address.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command()(sync)
    app.command()(ui)


def sync(
    folder: Annotated[Path, typer.Argument(help="The folder that holds the runs.")] = Path(
        "outputs"
    ),
    uri: Uri = None,
    *,
    rebuild: Annotated[
        bool,
        typer.Option(
            "--rebuild",
            help="Also restore deleted runs and experiments, and deliver lost runs again.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Deliver the data of runs that MLflow lacks, wherever each run was asked for.

    With --uri: to that store alone.
    """
    sys.path.insert(0, str(Path.cwd()))  # a model's class may lie beside train.py
    from experiments.delivery_process.sync import sync as synced

    counts = Counter({"delivered": 0, "failed": 0, "still running": 0, "had no need": 0})
    runs = []
    for run in synced(folder, uri, rebuild=rebuild):
        counts[run.outcome] += 1
        said = " ".join(run.said.split())
        runs.append({"folder": str(run.folder), "outcome": _as_key(run.outcome), "said": said})
        if said and not as_json:
            typer.echo(f"{run.folder}: {said}", err=run.outcome == "failed")
    if as_json:
        from experiments.cli.tables import print_json

        print_json({**{_as_key(each): count for each, count in counts.items()}, "runs": runs})
    else:
        typer.echo(", ".join(f"{count} {outcome}" for outcome, count in counts.items()))
    if counts["failed"]:
        raise typer.Exit(1)


def _as_key(outcome: str) -> str:
    return outcome.replace(" ", "_")


def ui(
    uri: Uri = None,
    port: Annotated[
        int | None, typer.Option(help="The port (default: 5000, as in the printed links).")
    ] = None,
    *,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Print the address only.")
    ] = False,
) -> None:
    """Open the MLflow UI at the view of the runs.

    Without --uri: of MLFLOW_TRACKING_URI, or of mlflow.db here.
    """
    from experiments.tracking.ui import show

    show(uri, port, typer.echo, browser=not no_browser)
