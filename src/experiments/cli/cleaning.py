"""The command `clean`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.cli.options import OUTPUTS, Filters, Json, Outputs
from experiments.errors import InputError, RunError
from experiments.process.colour import print_error

if TYPE_CHECKING:
    from experiments.catalog.cleaning import Item

_EXAMPLES = """Examples:

\b
  experiments clean                                  what nobody needs; asks before it deletes
  experiments clean --dead                           also dead runs, which could be resumed
  experiments clean --finished 'test_accuracy<0.5'   finished runs, by a filter
  experiments clean --yes                            without a question, for scripts
"""


def add_to(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(epilog=_EXAMPLES)(clean)


def clean(
    filters: Filters = None,
    *,
    dead: Annotated[bool, typer.Option("--dead", help="Also dead runs.")] = False,
    finished: Annotated[
        bool, typer.Option("--finished", help="Also finished runs; needs a filter.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Delete without a question.")] = False,
    as_json: Json = False,
    outputs: Outputs = OUTPUTS,
) -> None:
    """Delete what nobody needs; list it first and ask.

    That is dead runs whose identity has finished elsewhere, and remains of killed processes. Other
    runs are deleted only on request, running ones never. Copies in MLflow stay.
    """
    from experiments.catalog.cleaning import needless
    from experiments.catalog.listing import listing
    from experiments.cli.tables import print_damaged

    known = listing(outputs)
    items = needless(known, filters or (), dead=dead, finished=finished)
    print_damaged(known.damaged)
    if as_json:
        _print_json(items)
    elif items:
        _print(items)
    else:
        typer.echo("nothing to delete")
    if not items:
        return
    if not yes and not sys.stdin.isatty():
        typer.echo("nothing was deleted; --yes deletes it", err=True)
        return
    if yes or typer.confirm("Delete all of it?", err=True):
        _delete(items, outputs, err=as_json)
    else:
        typer.echo("nothing was deleted", err=as_json)


def _delete(items: Sequence[Item], outputs: Path, *, err: bool) -> None:
    """Delete items; one that cannot be deleted stops no other."""
    deleted = []
    for item in items:
        try:
            item.delete(outputs)
        except (InputError, RunError) as error:
            print_error(str(error))
        else:
            deleted.append(item)
    typer.echo(f"deleted {_counted(deleted)}" if deleted else "nothing was deleted", err=err)
    if len(deleted) < len(items):
        raise typer.Exit(1)


def _print(items: Sequence[Item]) -> None:
    from experiments.catalog.cleaning import REASONS
    from experiments.catalog.texts import as_size, as_time
    from experiments.cli.tables import print_table

    print_table(
        ["id", "name", "folder", ">size", "last change", "reason"],
        [
            [
                item.run.short if item.run else "",
                item.run.name if item.run else "",
                os.path.relpath(item.path),
                as_size(item.size),
                as_time(item.run.changed) if item.run else "",
                REASONS[item.kind],
            ]
            for item in items
        ],
    )
    typer.echo(_counted(items))


def _print_json(items: Sequence[Item]) -> None:
    from experiments.cli.tables import print_json

    print_json(
        [
            {
                "kind": item.kind,
                "folder": os.path.relpath(item.path),
                "bytes": item.size,
                "id": item.run.id if item.run else None,
            }
            for item in items
        ]
    )


def _counted(items: Sequence[Item]) -> str:
    from experiments.catalog.texts import as_size

    runs = sum(item.run is not None for item in items)
    told = [f"{runs} run{'s' * (runs != 1)}"] if runs else []
    left = len(items) - runs
    told += [f"{left} remain{'s' * (left != 1)} of killed processes"] if left else []
    return f"{' and '.join(told)}, {as_size(sum(item.size for item in items))}"
