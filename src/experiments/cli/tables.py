"""Tables and JSON on the standard output, which hides secrets (`process.streams`)."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

from experiments.process.colour import GOOD, WARNING

if TYPE_CHECKING:
    from rich.table import Table

    from experiments.catalog.summary import Damaged

STYLES = {"running": "cyan", "finished": GOOD, "diverged": WARNING, "dead": "red"}
"""the style of each state, in the words of rich"""
_PIPE_WIDTH = 10_000  # characters: the lines of a pipe are not folded


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table; on a terminal in colour and folded to its width.

    Args:
        columns: the titles; a column whose title begins with ">" is aligned to the right.
        rows: a text for each column.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD if sys.stdout.isatty() else None, pad_edge=False)
    for column in columns:
        table.add_column(
            column.removeprefix(">"),
            justify="right" if column.startswith(">") else "left",
            no_wrap=column.removeprefix(">") in {"id", "state", "name"},
            overflow="ellipsis" if column == "name" else "fold",
        )
    for row in rows:
        table.add_row(*(Text(text, style=STYLES.get(text, "")) for text in row))
    _print(table)


def print_facts(facts: Mapping[str, str]) -> None:
    """Print names and their texts, one a line; a text that is a state is shown in its colour."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in facts.items():
        table.add_row(f"  {name}", Text(text, style=STYLES.get(text, "")))
    _print(table)


def _print(table: Table) -> None:
    """Print a table; outside a terminal in lines of any length."""
    from rich.console import Console

    console = Console(highlight=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)
    with console.capture() as captured:
        console.print(table)
    lines = (line.rstrip() for line in captured.get().rstrip("\n").split("\n"))
    print(*lines, sep="\n")  # noqa: T201  (typer's echo would drop colours that are asked for)


def print_damaged(damaged: Sequence[Damaged]) -> None:
    """Print a line to stderr for each run that cannot be read."""
    for each in damaged:
        typer.echo(f"damaged: {each.reason}", err=True)


def print_json(data: Any) -> None:
    """Print data as JSON; a number that is NaN or infinite becomes null."""
    typer.echo(json.dumps(_finite(data), indent=2))


def _finite(data: Any) -> Any:
    if isinstance(data, Mapping):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data
