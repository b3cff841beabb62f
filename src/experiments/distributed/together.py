"""What the processes of a run do together: they begin it, or refuse it, and end it.

Nothing is done in a run of one process.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from experiments.distributed.meeting import meeting
from experiments.distributed.world import world
from experiments.errors import ElsewhereError, InputError
from experiments.process.signals import Interrupted


def alone(key: str, advice: str) -> None:
    """Check that this process is the only one of its command.

    Args:
        key: what needs that.
        advice: what to do otherwise.

    Raises:
        InputError: there are others.
    """
    if (size := world().size) > 1:
        raise InputError(f"{key}: needs one process, and torchrun has started {size}; {advice}")


class Agree(Protocol):
    """Tells the others which run this process has prepared, and compares it with theirs."""

    def __call__(self, identity: str, *, is_finished: bool = False) -> None:
        """Agree, as `Meeting.agree` does."""


@contextmanager
def agreeing() -> Iterator[Agree]:
    """Prepare a run in a `with` block, and agree with the other processes at its end.

    An error before that is told to them. Of several processes with an error only the first raises
    it. Nothing is done without other processes.

    Raises:
        Silenced: the run does not begin, and another process says why.
        InputError: the processes have prepared different runs (on rank 0).
    """
    is_told = world().size == 1

    def agree(identity: str, *, is_finished: bool = False) -> None:
        nonlocal is_told
        if not is_told:
            is_told = True
            meeting().agree("finished" if is_finished else "ready", identity)

    try:
        yield agree
    except Exception:
        if not is_told:
            meeting().agree("refused")
        raise


@contextmanager
def refusing_together() -> Iterator[None]:
    """Tell the others of an error that ends the command beside the preparation of a run.

    Raises:
        Silenced: the run does not begin, and another process says why.
    """
    try:
        yield
    except Exception as error:
        if world().size > 1:
            meeting().refuse(error)
        raise


@contextmanager
def ending_together() -> Iterator[None]:
    """Train with others: say when this process fails, and end in silence when another has failed.

    Of several processes that fail only the first to say so raises its error.

    Raises:
        SystemExit: another process has failed, and gives the reason.
    """
    if world().size == 1:
        yield
        return
    met = meeting()
    try:
        yield
    except ElsewhereError:
        raise SystemExit(1) from None
    except Interrupted:
        if met.place.rank:
            met.wait_for_the_end()
        raise
    except BaseException as error:
        met.fail(error)
        speaks = True
        with contextlib.suppress(RuntimeError):  # rank 0 has ended, perhaps without a word
            speaks = met.speaks_first()
        if not speaks:
            raise SystemExit(1) from None
        raise
    finally:
        if met.place.rank == 0:
            with contextlib.suppress(RuntimeError):  # torchrun has ended, and the store with it
                met.end()
