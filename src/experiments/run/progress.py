"""What the user sees while a run goes on: a bar on a terminal, plain lines anywhere else."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO

from experiments.files.safe_writes import open_to_append
from experiments.redaction.hide import hidden

_REDRAW_SECONDS = 0.1


class StdoutHandler(logging.StreamHandler[TextIO]):
    """Logs to what `sys.stdout` is now, so that lines and a progress bar share a screen."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:
        """The stream that `sys.stdout` is now."""
        return sys.stdout

    @stream.setter
    def stream(self, _: TextIO) -> None:
        raise AttributeError("this handler follows sys.stdout")


class LogFile(logging.FileHandler):
    """Logs to a file for as long as the disk takes it, without secrets; the screen has the same."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines to write."""
        return hidden(super().format(record))

    is_new = False
    """whether the file was made by this handler"""

    def _open(self) -> TextIOWrapper:
        path = Path(self.baseFilename)
        self.is_new = not path.exists()
        return TextIOWrapper(
            open_to_append(path), encoding="utf-8", errors="backslashreplace", write_through=True
        )

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  (logging's name)
        """Leave a full disk to what cannot go on without it."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)


@contextmanager
def progress_bar(total: int, *, done: int = 0) -> Iterator[Callable[[], None]]:
    """Show a bar of `total` batches on a terminal; yield what advances it by one.

    Args:
        total: the batches of the whole run.
        done: how many of them were trained before.
    """
    if not sys.stdout.isatty():
        yield lambda: None
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("batches"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, transient=True) as progress:
        task = progress.add_task("batches", total=total, completed=done)
        shown = 0.0

        def advance() -> None:
            nonlocal done, shown
            done += 1
            now = time.monotonic()
            if now - shown >= _REDRAW_SECONDS:
                progress.update(task, completed=done)
                shown = now

        yield advance
