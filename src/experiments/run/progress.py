"""The progress bar of a run, which is shown only on a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_REDRAW_SECONDS = 0.1


@contextmanager
def progress_bar(total: int, *, done: int = 0) -> Iterator[Callable[[], None]]:
    """Show a bar of `total` batches on a terminal; yield a function that advances it by one.

    Args:
        total: the number of batches of the whole run.
        done: the number of batches trained before.
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
