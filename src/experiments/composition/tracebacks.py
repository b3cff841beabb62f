"""Tracebacks of errors in a user's class: they begin at the user's own code."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from experiments.files.owners import owner_of

_FULL_ERROR, _ASKED = "HYDRA_FULL_ERROR", "EXPERIMENTS_FULL_ERROR"
_NOT_THE_USER_S = frozenset(
    {"__main__", "experiments", "hydra", "hydra_plugins", "omegaconf", "torch"}
)


@contextmanager
def raised_by_hydra() -> Iterator[None]:
    """Have Hydra raise errors instead of printing them.

    HYDRA_FULL_ERROR does this. The user's own value of it is kept for `is_whole`, also in the
    processes that this process starts.
    """
    before = os.environ.get(_FULL_ERROR)
    os.environ |= {_FULL_ERROR: "1", _ASKED: before or ""}
    try:
        yield
    finally:
        del os.environ[_FULL_ERROR], os.environ[_ASKED]
        if before is not None:
            os.environ[_FULL_ERROR] = before


def is_whole() -> bool:
    """Return whether the user asks for every traceback, whole, with HYDRA_FULL_ERROR=1."""
    return os.environ.get(_ASKED) == "1"


def print_traceback(error: BaseException) -> None:
    """Print the traceback of an error to stderr, from the user's first frame on.

    The frames of this package, Hydra and torch above that frame are left out. If no frame is the
    user's, only Hydra's frames and the frames above them are left out. If `is_whole`, none is.
    """
    shorten(error)
    traceback.print_exception(error)


def shorten(error: BaseException) -> None:
    """Shorten the tracebacks of an error as `print_traceback` does, unless `is_whole`."""
    if not is_whole():
        for each in _chain(error):
            each.__traceback__ = _shortened(each)


def place_in_user_code(error: BaseException) -> str | None:
    """Return the place where the user's code raised an error, such as `my_models.py:12`, or None.

    The file is named relative to the current folder if it lies there.
    """
    for each in _chain(error):
        if frames := _frames_of_the_user(each):
            file, line = frames[-1].tb_frame.f_code.co_filename, frames[-1].tb_lineno
            near = os.path.relpath(file)
            return f"{Path(file).name if near.startswith(os.pardir) else near}:{line}"
    return None


def _chain(error: BaseException) -> list[BaseException]:
    """Return an error and the errors that Python prints with it."""
    found: list[BaseException] = []
    each: BaseException | None = error
    while each is not None and not any(each is other for other in found):
        found.append(each)
        each = each.__cause__ or (None if each.__suppress_context__ else each.__context__)
    return found


def _shortened(error: BaseException) -> TracebackType | None:
    if frames := _frames_of_the_user(error):
        return frames[0]
    if error.__cause__ is not None and _frames_of_the_user(error.__cause__):
        return None  # this error only describes its cause
    return _below_hydra(error.__traceback__)


def _frames_of_the_user(error: BaseException) -> list[TracebackType]:
    return [each for each in _frames(error.__traceback__) if _is_the_user_s(each)]


def _frames(trace: TracebackType | None) -> Iterator[TracebackType]:
    while trace is not None:
        yield trace
        trace = trace.tb_next


def _is_the_user_s(trace: TracebackType) -> bool:
    file = trace.tb_frame.f_code.co_filename
    if _top_module(trace) in _NOT_THE_USER_S or file.startswith("<"):
        return False
    return owner_of(file) == "user"


def _below_hydra(trace: TracebackType | None) -> TracebackType | None:
    """Return the part of a traceback below the frames of Hydra; all of it if there are none."""
    below = trace
    for each in _frames(trace):
        if _top_module(each) == "hydra":
            below = each.tb_next
    return below


def _top_module(trace: TracebackType) -> str:
    return str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
