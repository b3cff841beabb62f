"""The command `explain`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.cli.options import OUTPUTS, Json, Outputs, Run

if TYPE_CHECKING:
    from experiments.delivery_process.sync import Synced
    from experiments.explaining.explanation import Explanation

_FOLDER = "explain"
_EXAMPLES = """Examples:

\b
  experiments explain 05c8                      into the folder explain of the run, and to MLflow
  experiments explain 05c8 --open               look at the page in the browser
  experiments explain 05c8 digit.png            the attributions of the answer to a picture
  experiments explain 05c8 --output for_anna    a folder elsewhere, and not in MLflow
"""


def add_to(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(epilog=_EXAMPLES)(explain)


def explain(
    run: Run,
    images: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[IMAGE|FOLDER|CSV]...",
            help="Pictures (default: a test image of each class, and the worst mistakes).",
        ),
    ] = None,
    *,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write there only (default: explain in the run's)."),
    ] = None,
    in_browser: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    as_json: Json = False,
    outputs: Outputs = OUTPUTS,
) -> None:
    """Explain a run's answers: one HTML file that needs no network, figures and a summary.

    It shows the confusion matrix, precision and recall of each class, the calibration, the most
    confident mistakes, the weights of the first layer, and attributions: the pixels that moved an
    answer. They are written to the folder explain, and MLflow gets them as artifacts. Made again,
    they are replaced.
    """
    from experiments.catalog.find import find_run
    from experiments.explaining.folder import INDEX, check_output
    from experiments.files.safe_writes import make_folder
    from experiments.inference.opening import open_models

    found = find_run(run, outputs)
    if output:
        check_output(output)
    (trained,) = open_models(str(found.folder), outputs)
    from experiments.explaining.attributions import check_installed
    from experiments.explaining.explanation import explain as explained
    from experiments.explaining.page import files_of
    from experiments.inference.pictures import read_pictures
    from experiments.report.keep import keep_files, write_files

    check_installed()
    told = explained(trained, read_pictures(images or [], trained.shape))
    folder, kept = output or found.folder / _FOLDER, None
    if output is None:
        files = {f"{_FOLDER}/{name}": content for name, content in files_of(told).items()}
        kept = keep_files(found, files)
    else:
        made = files_of(told)
        make_folder(folder)
        write_files(folder, made)
    (_print_json if as_json else _print)(told, folder, kept)
    if in_browser:
        import webbrowser

        webbrowser.open((folder / INDEX).absolute().as_uri())


def _print_json(told: Explanation, folder: Path, kept: Synced | None) -> None:
    from experiments.cli.reporting import problem_of
    from experiments.cli.tables import print_json
    from experiments.explaining.page import summary

    print_json(
        {
            "folder": os.path.relpath(folder),
            "mlflow_ids": list(kept.mlflow_ids) if kept else [],
            "problem": (problem_of(kept, "folder explain") or None) if kept else None,
            **summary(told),
        }
    )


def _print(told: Explanation, folder: Path, kept: Synced | None) -> None:
    from experiments.catalog.texts import as_share
    from experiments.cli.reporting import problem_of
    from experiments.explaining.folder import INDEX
    from experiments.explaining.page import completeness

    accuracy = told.answers.correct / told.answers.total
    typer.echo(
        f"Test accuracy {as_share(accuracy)}, expected calibration error "
        f"{as_share(told.calibration.ece)}"
    )
    if warning := told.differs:
        typer.echo(warning, err=True)
    for each in told.attributed:
        if each.is_picture:
            note = ", inverted" if each.is_inverted else ""
            typer.echo(
                f"{each.origin}: {told.names[each.answer]} ({as_share(each.confidence, 1)}{note})"
            )
    typer.echo(completeness(told.attributed))
    typer.echo(os.path.relpath(folder / INDEX))
    if kept and kept.outcome == "delivered":
        typer.echo(f"{kept.said} has it as the artifact {_FOLDER}")
    elif kept and (problem := problem_of(kept, "folder explain")):
        typer.echo(problem, err=kept.outcome == "failed")
