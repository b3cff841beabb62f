"""The standard streams: whatever becomes of them, the program goes on, and no secret is printed.

All that counts is in a run's folder. So output that cannot be written is dropped, and a character
that the stream's encoding lacks is written as its code point.
"""

from __future__ import annotations

import contextlib
import io
import os
import select
import sys
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any, TextIO, cast

from experiments.redaction.hide import hidden

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class _Output(io.FileIO):
    """A descriptor that takes every write."""

    def write(self, data: ReadableBuffer, /) -> int:
        """Write, or drop what the system refuses: a closed pipe, a full disk, a lost terminal."""
        try:
            written: int | None = super().write(data)
            while written is None:  # another program has set the descriptor to non-blocking
                select.select([], [self], [])
                written = super().write(data)
        except OSError:
            return memoryview(data).nbytes
        return written


class _Stream(io.TextIOWrapper):
    """The text that goes to a descriptor."""

    def close(self) -> None:
        """Stay open: a part that closes a standard stream must not stop whatever else prints."""
        self.flush()


def settle() -> None:
    """Make the standard streams such that neither their state nor their encoding stops anything.

    To be called first in a process: a descriptor from 0 to 2 that is closed would be given to the
    next file that is opened, and a child process would print into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False, encoding="utf-8")  # noqa: SIM115  (a descriptor)
    if sys.stdout is sys.__stdout__:  # else somebody captures the output
        sys.stdout = _settled(sys.stdout, 1)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _settled(sys.stderr, 2)


def _settled(stream: TextIO | None, number: int) -> TextIO:
    output = _Output(number, "w", closefd=False)
    if not isinstance(stream, io.TextIOWrapper):
        return _Stream(io.BufferedWriter(output), "utf-8", "backslashreplace")
    with contextlib.suppress(OSError):  # a program's earlier output, as lost as any other
        stream.flush()
    return _Stream(
        output if stream.write_through else io.BufferedWriter(output),
        stream.encoding,
        "backslashreplace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


@contextlib.contextmanager
def guarded_output() -> Iterator[None]:
    """Settle the streams, and hide secrets in all that Python code prints.

    Warnings and tracebacks are included.
    """
    settle()
    before = sys.stdout, sys.stderr
    guarded = [_Guarded(stream) for stream in before]
    sys.stdout, sys.stderr = (cast("TextIO", each) for each in guarded)
    try:
        yield
    finally:
        for each in guarded:
            each.flush()
        sys.stdout, sys.stderr = before


class _Guarded:
    """A text stream that hides secrets in what is written to it, and is the stream otherwise.

    `print` writes a line in pieces, and only the whole line tells what follows `password:`.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._held = stream, ""

    def write(self, text: str) -> int:
        whole = max(text.rfind("\n"), text.rfind("\r")) + 1
        if whole:
            self._stream.write(hidden(self._held + text[:whole]))
            self._held = ""
        self._held += text[whole:]
        return len(text)

    def flush(self) -> None:
        held, self._held = self._held, ""
        self._stream.write(hidden(held))
        self._stream.flush()

    def writelines(self, lines: Collection[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
