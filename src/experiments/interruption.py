"""SIGINT and SIGTERM as a flag that the training loop looks at."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_log = logging.getLogger(__name__)


class Interrupted(SystemExit):
    """The user or the scheduler asked the run to stop; the exit code is 128 + signal."""

    def __init__(self, signum: int) -> None:
        super().__init__(128 + signum)
        self.signal = signal.Signals(signum)


@contextmanager
def interruptible() -> Iterator[Callable[[], None]]:
    """Turn the first SIGINT or SIGTERM into an `Interrupted` at the next call of what is yielded.

    Nothing is done inside the handler, so that no file is left half written. A second signal raises
    at once. Outside the main thread, where Python delivers no signals, nothing changes.
    """
    received: list[int] = []

    def handle(signum: int, _frame: FrameType | None) -> None:
        if received:
            raise Interrupted(signum)
        received.append(signum)
        _log.info("%s: stopping; once more to stop at once", signal.Signals(signum).name)

    def check() -> None:
        if received:
            raise Interrupted(received[0])

    if threading.current_thread() is not threading.main_thread():
        yield check
        return
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield check
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
