"""A section of a comparison: one aspect of two runs, in a line and a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Value = str | float | bool | None
Row = Mapping[str, Value]


@dataclass(frozen=True)
class Section:
    """One aspect of two runs."""

    name: str
    says: str = ""
    """the difference in one line; empty if there is none"""
    rows: Sequence[Row] = ()
    """the details, each with the same columns"""


def changed(a: Mapping[str, Value], b: Mapping[str, Value], column: str) -> list[Row]:
    """Return a row for each key with different values: the key, and the values of `a` and `b`."""
    return [
        {column: key, "a": a.get(key), "b": b.get(key)}
        for key in dict.fromkeys((*a, *b))
        if a.get(key) != b.get(key)
    ]


def counted(number: int, word: str) -> str:
    """Return a number with its noun, such as `1 key` or `3 keys`."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
