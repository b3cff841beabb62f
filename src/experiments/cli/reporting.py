"""The command `report`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.cli.options import OUTPUTS, Json, Outputs, RunOrSweep
from experiments.errors import InputError

if TYPE_CHECKING:
    from experiments.delivery_process.sync import Synced

_REPORT = "report"
_SUFFIXES = (".html", ".htm")
_EXAMPLES = """Examples:

\b
  experiments report 05c8                         a run or a sweep, by the beginning of its id
  experiments report 05c8 --open                  look at it in the browser
  experiments report 05c8 --output for_anna.html  a file elsewhere, and not in MLflow
"""


def add_to(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(epilog=_EXAMPLES)(report)


def report(
    run: RunOrSweep,
    *,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write this file only (default: report.html there)."),
    ] = None,
    in_browser: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    as_json: Json = False,
    outputs: Outputs = OUTPUTS,
) -> None:
    """Make a report of a run or a sweep: one HTML file that needs no network.

    Of a sweep it shows the ranked settings, learning curves, the effect of each factor, failures
    and times; of a run the curves, the confusion matrix and the worst mistakes. It is written to
    report.html in the folder, and MLflow gets it as an artifact. Made again, it is replaced.
    """
    from experiments.catalog.find import find
    from experiments.report.keep import keep, page_of
    from experiments.report.page import NAME

    if output is not None:
        _check(output)
    sys.path.insert(0, str(Path.cwd()))  # a model's class may lie beside train.py
    found = find(run, outputs)
    page = page_of(found)
    path = found.folder / NAME if output is None else output
    kept = None
    if output is None:
        kept = keep(found, page)
    else:
        from experiments.files.safe_writes import write_atomically

        write_atomically(path, page.encode())
    (_print_json if as_json else _print)(path, kept)
    if in_browser:
        import webbrowser

        webbrowser.open(path.absolute().as_uri())


def _print_json(path: Path, kept: Synced | None) -> None:
    from experiments.cli.tables import print_json

    print_json(
        {
            "file": os.path.relpath(path),
            "bytes": path.stat().st_size,
            "mlflow_ids": list(kept.mlflow_ids) if kept else [],
            "problem": (problem_of(kept, _REPORT) or None) if kept else None,
        }
    )


def _print(path: Path, kept: Synced | None) -> None:
    from experiments.catalog.texts import as_size
    from experiments.report.page import NAME

    typer.echo(f"{os.path.relpath(path)} ({as_size(path.stat().st_size)})")
    if kept and kept.outcome == "delivered":
        typer.echo(f"{kept.said} has it as the artifact {NAME}")
    elif kept and (problem := problem_of(kept, _REPORT)):
        typer.echo(problem, err=kept.outcome == "failed")


def problem_of(kept: Synced, files: str) -> str:
    """Return the reason why MLflow has not got new files; empty if it has, or needs none."""
    match kept.outcome:
        case "delivered":
            return ""
        case "still running":
            return f"It is still being trained; MLflow gets a {files} that is made later"
        case "failed":
            said = " ".join(kept.said.split())
            later = f"`experiments sync {os.path.relpath(kept.folder)}` delivers it"
            return f"MLflow has not taken the {files}: {said}; {later}"
        case "had no need":
            return kept.said


def _check(output: Path) -> None:
    """Check that a report can be written to a file.

    Raises:
        InputError: its name or its folder does not fit.
    """
    if output.suffix.lower() not in _SUFFIXES:
        raise InputError(f"--output={output}: a report is HTML; end its name with .html")
    if not output.parent.is_dir():
        raise InputError(f"--output={output}: there is no folder {output.parent}; make it first")
