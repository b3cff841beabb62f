"""The commands that prove what the project promises: `verify-resume`."""

from __future__ import annotations

from typing import Annotated

import typer

from experiments.errors import InputError


def add_to(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command("verify-resume")(verify_resume)


def verify_resume(
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="[OVERRIDE]...", help="As for train.py, such as optimizer=adamw."),
    ] = None,
    kills: Annotated[int, typer.Option(help="How often to kill.")] = 3,
) -> None:
    """Prove on this machine that a killed and resumed run gives the same bits."""
    from experiments.run.verify_resume import verify_resume as verified

    if kills < 1:
        raise InputError(f"--kills={kills}: it should be at least 1")
    if not verified(overrides or [], kills, typer.echo):
        raise typer.Exit(1)
