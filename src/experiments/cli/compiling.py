"""The command that compiles the steps of small models, once for each environment."""

from __future__ import annotations

import time

import typer


def add_to(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command("compile")(compile_steps)


def compile_steps() -> None:
    """Compile the steps of small models, once; they take less time and have the same bits.

    It needs a C++ compiler and about ten seconds. Without it train.py computes the same in Python.
    """
    from experiments.training.steps_library import build, library

    if library().exists():
        typer.echo(f"The steps are compiled: {library()}")
        return
    began = time.perf_counter()
    file = build()
    typer.echo(f"The steps are compiled, in {time.perf_counter() - began:.0f} s: {file}")
