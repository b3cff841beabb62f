"""The standard streams: a broken stream does not stop the program, and no secret is printed.

All results are in the folder of the run. So output that cannot be written is dropped, and a
character that the encoding of the stream lacks is written as its code point.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import select
import sys
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any, TextIO, cast

from experiments.errors import RunError
from experiments.redaction.hide import hidden

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class _Output(io.FileIO):
    """A file descriptor that accepts every write."""

    refusal: OSError | None = None
    """the last error of the system; None if it has taken everything"""

    def write(self, data: ReadableBuffer, /) -> int:
        """Write; drop data that the system refuses (closed pipe, full disk, lost terminal)."""
        try:
            written: int | None = super().write(data)
            while written is None:  # another program has set the descriptor to non-blocking
                select.select([], [self], [])
                written = super().write(data)
        except OSError as error:
            self.refusal = error
            return memoryview(data).nbytes
        return written


class _Stream(io.TextIOWrapper):
    """A text stream to a file descriptor that user code cannot close."""

    def close(self) -> None:
        """Flush but stay open, because other code may print after one part closes the stream."""
        self.flush()


def settle() -> None:
    """Replace the standard streams, so that neither their state nor their encoding raises errors.

    Call this first in a process. Otherwise the next opened file would get a closed descriptor
    from 0 to 2, and a child process would print into that file.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False, encoding="utf-8")  # noqa: SIM115  (a descriptor)
    if sys.stdout is sys.__stdout__:  # else other code captures the output
        sys.stdout = _settled(sys.stdout, 1)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _settled(sys.stderr, 2)


def _settled(stream: TextIO | None, number: int) -> TextIO:
    output = _Output(number, "w", closefd=False)
    if not isinstance(stream, io.TextIOWrapper):
        return _Stream(io.BufferedWriter(output), "utf-8", "backslashreplace")
    with contextlib.suppress(OSError):  # earlier output is lost like any other
        stream.flush()
    return _Stream(
        output if stream.write_through else io.BufferedWriter(output),
        stream.encoding,
        "backslashreplace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def check_was_written(stream: TextIO) -> None:
    """Check that the system has taken all output of a stream; a closed pipe is no error.

    For programs whose output is their result.

    Raises:
        RunError: it has not, as on a full disk.
    """
    stream.flush()
    buffer = getattr(stream, "buffer", None)
    refusal = getattr(getattr(buffer, "raw", buffer), "refusal", None)
    if isinstance(refusal, OSError) and refusal.errno != errno.EPIPE:
        raise RunError(
            f"the standard output cannot be written ({refusal.strerror}), so the answer is not "
            "whole; make room, or send it elsewhere"
        )


@contextlib.contextmanager
def guarded_output() -> Iterator[None]:
    """Call `settle`, and hide secrets in all output of Python code, tracebacks included."""
    settle()
    with hidden_output():
        yield


@contextlib.contextmanager
def hidden_output() -> Iterator[None]:
    """Hide secrets in all output of Python code."""
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
    """A text stream that hides secrets in written text, and is the given stream otherwise.

    `print` writes a line in pieces, and only the whole line shows the text after `password:`. So
    text is held until its line ends.
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
