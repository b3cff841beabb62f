"""The way into a call from a script or a notebook: one-line errors, signals kept as they are."""

from __future__ import annotations

import functools
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from experiments.composition.entry_point import Refused, told
from experiments.composition.tracebacks import is_whole, raised_by_hydra, shorten
from experiments.errors import InputError, RunError
from experiments.process.signals import Interrupted, within_a_program
from experiments.process.streams import hidden_output

P = ParamSpec("P")
T = TypeVar("T")
_SET_BY_RUNS = ("CUBLAS_WORKSPACE_CONFIG", "GOMP_SPINCOUNT")  # environment variables
_one_call = threading.Lock()


def from_python(call: Callable[P, T]) -> Callable[P, T]:
    """Decorate a function for scripts and notebooks: a mistake raises the line of the command.

    The line is the text of an `InputError` or a `RunError`. An error in the user's own code is
    raised as it is, and its traceback goes from the call to that code. HYDRA_FULL_ERROR=1 keeps all
    frames and causes. After Ctrl-C in a run, which has saved a checkpoint, `KeyboardInterrupt` is
    raised; another signal is sent again to the program, as soon as the run has saved.
    """

    @functools.wraps(call)
    def entry(*args: P.args, **kwargs: P.kwargs) -> T:
        stopped: signal.Signals | None = None
        failure: BaseException
        with _alone(), within_a_program(), _environment_kept(), raised_by_hydra(), hidden_output():
            try:
                return call(*args, **kwargs)
            except Interrupted as interrupted:
                stopped, failure = interrupted.signal, interrupted
            except (Exception, Refused) as raised:  # noqa: BLE001  (it is raised below)
                failure = _failure(raised)
        if stopped is signal.SIGINT:
            failure = KeyboardInterrupt()
        elif stopped is not None:
            signal.raise_signal(stopped)
        raise failure

    return entry


def _failure(raised: BaseException) -> BaseException:
    error, line = told(raised)
    if line is None:
        shorten(error)
        return error
    failure = type(error)(line) if isinstance(error, InputError | RunError) else InputError(line)
    failure.__cause__ = error if is_whole() else None
    return failure


@contextmanager
def _alone() -> Iterator[None]:
    """Refuse a call during another one: Hydra and the standard output are the whole process's."""
    if not _one_call.acquire(blocking=False):
        raise InputError(
            "experiments: another call is at work in this process; wait for its end, or use "
            "another process"
        )
    try:
        yield
    finally:
        _one_call.release()


@contextmanager
def _environment_kept() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in _SET_BY_RUNS}
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
