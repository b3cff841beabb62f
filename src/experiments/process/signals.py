"""SIGINT, SIGTERM and SIGHUP, from a process's first moment to its last.

Until a run begins a signal ends the process at once. In a run it is a flag that the training loop
looks at, so that nothing is left half done; in a sweep's own process, which only waits, it is an
exception. The second signal always ends the process at once, as kill -9 would: nothing is saved
then, so that no half of a step ever is, and what was saved before is whole.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SHOW_CURSOR = b"\x1b[?25h"  # a progress bar hides it


class Interrupted(SystemExit):
    """The user or the scheduler asked the run to stop; the exit code is 128 + signal."""

    def __init__(self, signum: int) -> None:
        super().__init__(128 + signum)
        self.signal = signal.Signals(signum)


class _Request:
    """Whether the process is asked to stop, and whether by a signal, so that the next insists."""

    def __init__(self) -> None:
        self.signum: int | None = None
        self.is_signalled = False
        self.pid = os.getpid()


_request = _Request()


def end_at_once() -> None:
    """Have a signal end the process with 128 + signal, also one that is PID 1 of a container.

    The system's own action would not reach PID 1, and Python's own prints a traceback.
    """
    for number in _heeded():
        signal.signal(number, _end)


def keep() -> None:
    """From here on keep a signal for the next `interruptible`, where `end_at_once` was called."""
    for number in _heeded():
        if signal.getsignal(number) is _end:
            signal.signal(number, _keep)


def is_asked() -> bool:
    """Return whether the process is asked to stop."""
    return _request.signum is not None


def stop() -> None:
    """Ask the process to stop, from any thread; a signal is then still the first."""
    if signal.getsignal(signal.SIGTERM) is not _keep:
        _end(signal.SIGTERM)
    if not is_asked():
        _request.signum = signal.SIGTERM


@contextmanager
def interruptible() -> Iterator[Callable[[], None]]:
    """Turn the first signal into an `Interrupted` at each call of what is yielded.

    Outside the main thread, where Python delivers no signals, nothing changes.
    """

    def check() -> None:
        if _request.signum is not None:
            raise Interrupted(_request.signum)

    with _handled_by(_keep):
        yield check


@contextmanager
def raising() -> Iterator[None]:
    """Raise `Interrupted` at the first signal, wherever it comes.

    For what may be left at any line once the `with` statements around it have tidied up. Nothing
    changes outside the main thread, or in an `interruptible`, which is to be left at its checks.
    """
    is_kept = signal.getsignal(signal.SIGTERM) is _keep
    with contextlib.nullcontext() if is_kept else _handled_by(_raise):
        yield


@contextmanager
def _handled_by(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    global _request
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in _heeded()}
    try:
        yield
    finally:
        _request = _Request()
        for number, earlier in before.items():
            signal.signal(number, _end if earlier is _keep else earlier)


def _heeded() -> list[signal.Signals]:
    """Return the signals to handle: not SIGHUP where `nohup` has it ignored."""
    hangs_up = signal.getsignal(signal.SIGHUP) != signal.SIG_IGN
    return [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hangs_up else [])]


def _keep(signum: int, _frame: FrameType | None) -> None:
    _note(signum)
    # Neither `logging` nor `print` may be entered again from within themselves.
    said = f"{signal.Signals(signum).name}: stopping; once more to stop at once\n"
    with contextlib.suppress(OSError):
        os.write(1, said.encode())


def _raise(signum: int, _frame: FrameType | None) -> None:
    _note(signum)
    raise Interrupted(signum)


def _note(signum: int) -> None:
    """Take in the first signal; end the process at the second, and one forked from it at any."""
    if signum == signal.SIGHUP:
        _let_go_of_the_terminal()
    if _request.is_signalled or _request.pid != os.getpid():
        _end(signum)
    _request.is_signalled = True
    if not is_asked():
        _request.signum = signum


def _end(signum: int, _frame: FrameType | None = None) -> None:
    with contextlib.suppress(OSError):
        if os.isatty(1):
            os.write(1, _SHOW_CURSOR)
    os._exit(128 + signum)


def _let_go_of_the_terminal() -> None:
    """Send what is written to a terminal that is gone nowhere, instead of raising errors."""
    poller = select.poll()
    for number in (1, 2):
        poller.register(number, 0)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for number, event in poller.poll(0):
        if event & select.POLLHUP:
            os.dup2(nowhere, number)
    os.close(nowhere)
