"""Handle SIGINT, SIGTERM and SIGHUP from the first moment of a process to its last.

Until a run begins, a signal ends the process at once. In a run, a signal sets a flag that the
training loop checks, so that no step is left half done. In the process of a sweep, which only
waits, a signal raises an exception. The second signal always ends the process at once, as kill -9
would. Nothing is saved then, so that no half-done step is ever saved, and everything saved before
is intact.

A script or a notebook that calls `train` is no command of ours. There the signals keep the meaning
that the script gave them, except in a run; see `within_a_program`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from experiments.process.terminal import let_go, show_cursor, tell


class Interrupted(SystemExit):
    """The user or the scheduler asked the run to stop; the exit code is 128 + signal."""

    def __init__(self, signum: int) -> None:
        super().__init__(128 + signum)
        self.signal = signal.Signals(signum)


class _Request:
    """The request to stop, if any, and whether it came by a signal."""

    def __init__(self) -> None:
        self.signum: int | None = None
        self.is_signalled = False
        self.pid = os.getpid()


_request = _Request()
_ends_by_itself = False
_is_one_of_several = False
_last_words: str | None = None
_program_s: dict[int, Any] | None = None  # its handlers, inside `within_a_program`


def end_at_once() -> None:
    """Make a signal end the process with exit code 128 + signal, also as PID 1 of a container.

    The default action of the system does not reach PID 1, and the default of Python prints a
    traceback.
    """
    for number in _heeded():
        signal.signal(number, _end)


def postpone() -> None:
    """From now on keep a signal for the next `interruptible`.

    This changes nothing unless `end_at_once` was called, or inside `within_a_program`.
    """
    for number in _heeded():
        if signal.getsignal(number) is _end or _program_s is not None:
            signal.signal(number, _postpone)


def is_asked() -> bool:
    """Return whether the process is asked to stop."""
    return _request.signum is not None


def asked() -> int:
    """Return the number of the signal that asks the process to stop; 0 for none."""
    return _request.signum or 0


def be_one_of_several() -> None:
    """Heed SIGTERM without a line from now on, because the end of the run gives the reason.

    torchrun sends it to all processes as soon as one has ended, perhaps before they notice that
    themselves: the signal is not the cause then.
    """
    global _is_one_of_several
    _is_one_of_several = True


def end_by_oneself() -> None:
    """Ignore SIGTERM from now on, because the process ends anyway, and has a line to print.

    torchrun sends it to all processes as soon as one has ended.
    """
    global _ends_by_itself
    _ends_by_itself = True


@contextmanager
def last_words(line: str) -> Iterator[None]:
    """Have a signal that ends the process at once say what that means.

    Args:
        line: what follows the name of the signal.
    """
    global _last_words
    _last_words = line
    try:
        yield
    finally:
        _last_words = None


def is_in_haste() -> bool:
    """Return whether the process is asked to stop, or would soon be killed because it ends."""
    return is_asked() or _ends_by_itself


def stop() -> None:
    """Ask the process to stop, from any thread; the next signal still counts as the first."""
    if signal.getsignal(signal.SIGTERM) is not _postpone:
        _end(signal.SIGTERM)
    if not is_asked():
        _request.signum = signal.SIGTERM


@contextmanager
def within_a_program() -> Iterator[None]:
    """Leave a script or a notebook with the signal handlers that it had.

    The second signal in a run means what it means to the program: Ctrl-C raises
    `KeyboardInterrupt`. Outside the main thread nothing changes, as for `interruptible`.
    """
    global _program_s, _request
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _program_s = {number: signal.getsignal(number) for number in _heeded()}
    try:
        yield
    finally:
        for number, handler in _program_s.items():
            signal.signal(number, handler)
        _program_s, _request = None, _Request()


@contextmanager
def interruptible() -> Iterator[Callable[[], None]]:
    """Yield a function that raises `Interrupted` at each call after the first signal.

    Outside the main thread nothing changes, because Python delivers no signals there.
    """

    def check() -> None:
        if _request.signum is not None:
            raise Interrupted(_request.signum)

    with _handled_by(_postpone):
        yield check


@contextmanager
def raising() -> Iterator[None]:
    """Raise `Interrupted` at the first signal, at any line.

    This is for code that may end at any line, after the `with` statements around it have cleaned
    up. Nothing changes outside the main thread, or inside an `interruptible`, which ends only at
    its checks.
    """
    is_kept = signal.getsignal(signal.SIGTERM) is _postpone
    with contextlib.nullcontext() if is_kept else _handled_by(_raise):
        yield


@contextmanager
def interrupting() -> Iterator[None]:
    """Raise `Interrupted` in place of any other exception after a signal, inside a `raising`.

    A library may raise one of its own when it is interrupted; Ray raises `SystemExit(1)`.
    """
    try:
        yield
    except BaseException as error:
        if _request.signum is not None and not isinstance(error, Interrupted):
            raise Interrupted(_request.signum) from error
        raise


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
            ended = _end if _program_s is None else _program_s[number]
            signal.signal(number, ended if earlier is _postpone else earlier)


def _heeded() -> list[signal.Signals]:
    """Return the signals to handle; SIGHUP is not one of them if `nohup` made it ignored."""
    hangs_up = signal.getsignal(signal.SIGHUP) != signal.SIG_IGN
    return [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hangs_up else [])]


def _postpone(signum: int, _frame: FrameType | None) -> None:
    if _ends_by_itself and signum == signal.SIGTERM:
        return
    _note(signum)
    if not (_is_one_of_several and signum == signal.SIGTERM):
        tell(signum, "stopping; once more to stop at once")


def _raise(signum: int, _frame: FrameType | None) -> None:
    _note(signum)
    raise Interrupted(signum)


def _note(signum: int) -> None:
    """Note the first signal; end the process at the second, and a forked process at any signal."""
    if signum == signal.SIGHUP:
        let_go()
    if _request.pid != os.getpid() or (_request.is_signalled and _program_s is None):
        _end(signum)
    if _request.is_signalled and _program_s is not None:
        signal.signal(signum, _program_s[signum])
        signal.raise_signal(signum)
    _request.is_signalled = True
    if not is_asked():
        _request.signum = signum


def _end(signum: int, _frame: FrameType | None = None) -> None:
    if _ends_by_itself and signum == signal.SIGTERM:
        return
    if _last_words is not None:
        tell(signum, _last_words)
    show_cursor()
    os._exit(128 + signum)
