"""The arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Run = Annotated[
    str,
    typer.Argument(metavar="RUN", help="A run: its folder, or the beginning of one of its ids."),
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
OUTPUTS = Path("outputs")
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
