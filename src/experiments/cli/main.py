"""The command `experiments`: everything that people do after a training."""

from __future__ import annotations

import sys
from importlib import metadata
from typing import Annotated

import typer

from experiments.cli import (
    building,
    cleaning,
    comparing,
    delivery,
    differences,
    drawing,
    evaluating,
    explaining,
    exporting,
    looking,
    predicting,
    proof,
    reporting,
    showing,
)
from experiments.errors import InputError, RunError
from experiments.process.colour import print_error
from experiments.process.signals import raising
from experiments.process.streams import check_was_written, guarded_output

_HELP = """List, compare, explain, use and repeat the runs of train.py.

RUN is the folder of a run, or the beginning of its id, of its identity or of its MLflow run id.
FILTER is a state (running, finished, diverged, dead) or a condition such as optimizer.lr=0.1 or
'test_accuracy>0.97'; several conditions hold together.
"""

app = typer.Typer(
    name="experiments",
    help=_HELP,
    invoke_without_command=True,
    rich_markup_mode=None,  # rich takes a tenth of a second to load
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@guarded_output()
def main() -> None:
    """Run one command; wrong input ends with one line and exit code 2, like train.py."""
    try:
        with raising():
            code = app(standalone_mode=False)
            check_was_written(sys.stdout)
            sys.exit(code)
    except typer.TyperException as error:
        print_error(_in_one_line(error.format_message()))
        sys.exit(2)
    except typer.Abort:
        print_error("nothing was done")
        sys.exit(1)
    except (InputError, RunError) as error:
        print_error(_in_one_line(str(error)))
        sys.exit(1 if isinstance(error, RunError) else 2)


def _in_one_line(text: str) -> str:
    return " ".join(text.split())


def _print_version(*, is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"experiments {metadata.version('experiments')}")
        raise typer.Exit


@app.callback()
def _experiments(
    context: typer.Context,
    *,
    version: Annotated[  # noqa: ARG001  (its callback reads it)
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    """Print the help if no command is given."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


for commands in (
    *(looking, showing, comparing, differences, reporting),
    *(predicting, explaining, evaluating, exporting, drawing),
    *(proof, cleaning, delivery, building),
):
    commands.add_to(app)
