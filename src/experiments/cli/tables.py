"""Tables and JSON on the standard output."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import typer

from experiments.process.colour import GOOD, WARNING
from experiments.redaction.hide import hidden, hidden_data

STYLES = {"running": "cyan", "finished": GOOD, "diverged": WARNING, "dead": "red"}
"""the style of each state, in the words of rich"""
_PIPE_WIDTH = 10_000  # characters: the lines of a pipe are not folded


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], title: str = "") -> None:
    """Print a table; on a terminal in colour and folded to its width.

    Args:
        columns: the titles; a column whose title begins with ">" is aligned to the right.
        rows: a text for each column.
        title: a line above the table.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    is_terminal = sys.stdout.isatty()
    console = Console(highlight=False, width=None if is_terminal else _PIPE_WIDTH)
    table = Table(box=box.SIMPLE_HEAD if is_terminal else None, pad_edge=False)
    for column in columns:
        table.add_column(
            column.removeprefix(">"),
            justify="right" if column.startswith(">") else "left",
            no_wrap=column.removeprefix(">") in {"id", "state"},
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(Text(hidden(text), style=STYLES.get(text, "")) for text in row))
    if title:
        typer.echo(hidden(title))
    console.print(table)


def print_json(data: Any) -> None:
    """Print data as JSON, without secrets; a number that is NaN or infinite becomes null."""
    typer.echo(json.dumps(_finite(hidden_data(data)), indent=2))


def _finite(data: Any) -> Any:
    if isinstance(data, Mapping):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data


def as_number(value: float | None) -> str:
    """Return a number with at most four digits behind the point; nothing for None and NaN."""
    if value is None or math.isnan(value):
        return ""
    return f"{value:.4g}" if abs(value) < 1e-3 or abs(value) >= 1e5 else f"{value:.4f}"


def as_text(value: str | float | bool | None) -> str:
    """Return a value as a cell shows it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return as_number(value)
    return "" if value is None else str(value)


def as_time(milliseconds: int) -> str:
    """Return a moment in local time, such as `2026-11-28 09:30`."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(milliseconds / 1000))


def as_duration(seconds: float) -> str:
    """Return a duration, such as `8.4 s`, `3 min 5 s` or `2 h 10 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, left = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {left} s"
    return f"{minutes // 60} h {minutes % 60} min"
