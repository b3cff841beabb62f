"""Colour for lines on a terminal; lines anywhere else stay plain."""

from __future__ import annotations

import os
import sys
from typing import TextIO

from experiments.redaction.hide import hidden

GOOD, WARNING, ERROR = "green", "yellow", "red"
"""the styles of lines, in the words of rich"""


def in_colour(text: str, style: str, stream: TextIO) -> str:
    """Return a text in a style, without its secrets, or the plain text if the stream is plain.

    A stream shows colour if it is a terminal, or if FORCE_COLOR is set (https://force-color.org).
    If NO_COLOR is set, no stream shows colour (https://no-color.org).

    Args:
        text: the text.
        style: a style of rich, such as `green`.
        stream: the stream that the text is written to.
    """
    if os.environ.get("NO_COLOR") or not (os.environ.get("FORCE_COLOR") or stream.isatty()):
        return text
    from rich.console import Console
    from rich.text import Text

    console = Console(file=stream)
    # Later, a secret at the end of the text would be hidden together with the end of the colour.
    with console.capture() as captured:
        console.print(Text(hidden(text), style=style), soft_wrap=True, end="")
    return captured.get()


def print_error(line: str) -> None:
    """Print the line of an error to stderr, in red on a terminal."""
    print(in_colour(f"error: {line}", ERROR, sys.stderr), file=sys.stderr)  # noqa: T201
