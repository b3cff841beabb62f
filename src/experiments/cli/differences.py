"""The command that compares two runs: `diff`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from experiments.cli.options import OUTPUTS, Json, Outputs, Run

if TYPE_CHECKING:
    from experiments.differences.comparison import Comparison
    from experiments.differences.section import Section, Value

_MOST_ROWS = 20
_EXAMPLES = """Examples:

\b
  experiments diff 3f2a 81bc                      two runs by their ids
  experiments diff outputs/a outputs/b --json     by their folders, for programs
"""


def add_to(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command(epilog=_EXAMPLES)(diff)


def diff(a: Run, b: Run, *, as_json: Json = False, outputs: Outputs = OUTPUTS) -> None:
    """Tell in which respects two runs differ, from the configuration to the weights.

    Equal sections are left out. The exit code is 0, whether the runs differ or not.
    """
    from experiments.catalog.find import find_run
    from experiments.cli import tables
    from experiments.differences.comparison import compare

    found = compare(find_run(a, outputs), find_run(b, outputs))
    if as_json:
        tables.print_json(found.as_data())
        return
    typer.echo(found.sentence)
    _print_runs(found)
    for section in found.sections:
        if section.says or section.rows:
            print_section(section)
    if found.missing:
        typer.echo()
    for each in found.missing:
        typer.echo(f"not compared: {each}")


def _print_runs(found: Comparison) -> None:
    from experiments.cli import tables

    rows = [
        [key, run.summary.short, run.summary.state, run.summary.name, str(run.summary.folder)]
        for key, run in (("a", found.a), ("b", found.b))
    ]
    typer.echo()
    tables.print_table(["run", "id", "state", "name", "folder"], rows)


def print_section(section: Section) -> None:
    """Print a section: its line, and the first rows of its table."""
    from experiments.cli import tables

    typer.echo(f"\n{section.name}: {section.says}")
    if section.rows:
        titles = list(section.rows[0])
        rows = ([_cell(row[key]) for key in titles] for row in section.rows[:_MOST_ROWS])
        tables.print_table(titles, rows)
    if (left := len(section.rows) - _MOST_ROWS) > 0:
        typer.echo(f"{left} more; --json lists all")


def _cell(value: Value) -> str:
    from experiments.catalog.texts import as_text

    if isinstance(value, bool):
        return "yes" if value else "no"
    return as_text(value)
