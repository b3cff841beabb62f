"""What the user can put right, said in one line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(Exception):
    """A wrong key, value, file or device. Its text is one line naming what to do; exit code 2."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a question naming the closest of `known`, or all of them where none is close."""
    options = sorted(known)
    close = difflib.get_close_matches(word, options, n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else f"choose from {', '.join(options)}"
