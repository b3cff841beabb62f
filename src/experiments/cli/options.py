"""The arguments and options that several commands share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

OUTPUTS = Path("outputs")


def complete_run(context: typer.Context, incomplete: str) -> Iterator[tuple[str, str]]:
    """Yield the ids of the runs that begin with a text, each with its name, for the shell."""
    from experiments.catalog.listing import listing
    from experiments.errors import InputError

    try:
        known = listing(context.params.get("outputs") or OUTPUTS)
    except InputError:
        return  # a shell shows no errors
    for run in reversed(known.all):
        if run.id.startswith(incomplete):
            yield run.short, f"{run.state}, {run.name}"


Run = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A run: its folder, or the beginning of one of its ids.",
        autocompletion=complete_run,
    ),
]
RunOrSweep = Annotated[
    str,
    typer.Argument(
        metavar="RUN|SWEEP",
        help="A run or a sweep: its folder, or the beginning of one of its ids.",
        autocompletion=complete_run,
    ),
]
Filters = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[FILTER]...", help="A state, or a condition such as seed=0; all of them hold."
    ),
]
Outputs = Annotated[
    Path, typer.Option("--outputs", metavar="FOLDER", help="The folder of all runs.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
