"""The command `report`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from experiments.cli.options import OUTPUTS, Outputs, complete_run
from experiments.errors import InputError

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
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN|SWEEP",
            help="A run or a sweep: its folder, or the beginning of one of its ids.",
            autocompletion=complete_run,
        ),
    ],
    *,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write this file only (default: report.html there)."),
    ] = None,
    in_browser: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
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
    if output is None:
        kept = keep(found, page)
        _print_file(path)
        match kept.outcome:
            case "delivered":
                typer.echo(f"{kept.said} has it as the artifact {NAME}")
            case "still running":
                typer.echo("It is still being trained; MLflow gets a report that is made later")
            case "failed":
                said = " ".join(kept.said.split())
                later = f"`experiments sync {os.path.relpath(found.folder)}` delivers it"
                typer.echo(f"MLflow has not taken the report: {said}; {later}", err=True)
    else:
        from experiments.files.safe_writes import write_atomically

        write_atomically(path, page.encode())
        _print_file(path)
    if in_browser:
        import webbrowser

        webbrowser.open(path.absolute().as_uri())


def _print_file(path: Path) -> None:
    from experiments.catalog.texts import as_size

    typer.echo(f"{os.path.relpath(path)} ({as_size(path.stat().st_size)})")


def _check(output: Path) -> None:
    """Check that a report can be written to a file.

    Raises:
        InputError: its name or its folder does not fit.
    """
    if output.suffix.lower() not in _SUFFIXES:
        raise InputError(f"--output={output}: a report is HTML; end its name with .html")
    if not output.parent.is_dir():
        raise InputError(f"--output={output}: there is no folder {output.parent}; make it first")
