"""The progress of a plan that takes long, as a line of text."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.text import Text

from experiments.sweep.view import duration

_PATIENCE_SECONDS = 2.0
_REDRAW_SECONDS = 0.2  # on a terminal, which has one line of progress
_LINE_SECONDS = 30.0  # elsewhere


@contextmanager
def telling(
    done: str, total: int, *, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[int], None]]:
    """Yield a function that takes a number of jobs done; it tells their sum after two seconds.

    Args:
        done: the words for what was done with the jobs, such as `checked`.
        total: the number of jobs.
        clock: returns the time in seconds.
    """
    console = Console(soft_wrap=True, highlight=False, markup=False)
    live = Live(console=console, auto_refresh=False, transient=True)
    began, count = clock(), 0
    due = began + _PATIENCE_SECONDS

    def advance(jobs: int) -> None:
        nonlocal count, due
        count += jobs
        now = clock()
        if now < due or count == total:
            return
        left = duration((now - began) / count * (total - count))
        line = f"Planning: {count:,} of {total:,} jobs {done}, {left} left"
        if console.is_interactive:
            live.start()
            live.update(Text(line), refresh=True)
            due = now + _REDRAW_SECONDS
        else:
            console.print(line)
            due = now + _LINE_SECONDS

    try:
        yield advance
    finally:
        live.stop()
