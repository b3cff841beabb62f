"""The command that builds the compiled steps of small models, once for each environment."""

from __future__ import annotations

import time

import typer


def add_to(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(build)


def build() -> None:
    """Build the compiled steps of small models, once: less time, the same bits.

    It needs GCC (CXX names another command than c++) and about ten seconds, and writes into
    lib/experiments of the Python environment. Without it train.py computes the same in Python.
    """
    from experiments.training.steps_library import build as built
    from experiments.training.steps_library import is_loaded, library

    if is_loaded():
        typer.echo(f"The compiled steps are there: {library()}")
        return
    typer.echo("Building the compiled steps takes about ten seconds.")
    began = time.perf_counter()
    file = built()
    typer.echo(f"They are built, in {time.perf_counter() - began:.0f} s: {file}")
