"""The meeting of a run's processes: what each tells the others beside the training itself.

They meet in torch's key-value store, which torchrun keeps. There they agree whether the run begins,
and a process that fails says so before it ends, so that one of them alone prints the reason.
"""

from __future__ import annotations

import contextlib
import functools
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, Protocol

from experiments.distributed.world import World, world
from experiments.errors import ElsewhereError, InputError, shortened, text_of
from experiments.process.signals import Interrupted

if TYPE_CHECKING:
    from torch.distributed.distributed_c10d import Store

Outcome = Literal["ready", "finished", "refused"]
"""how the preparation of a run has ended in a process"""

_PATIENCE = timedelta(minutes=30)  # rank 0 may fetch the data
_POLL_SECONDS = 0.02  # a wait inside the store would heed no signal
_LAST_SECONDS = 60.0  # for the last checkpoint of rank 0, after a signal
_FAILED, _ENDED, _LOST = "failed", "ended", "lost"


class Elsewhere(SystemExit):
    """Ends a process in silence, because another process of the run gives the reason."""

    def __init__(self) -> None:
        super().__init__(0)


class Meeting:
    """The store in which the processes of a run meet."""

    def __init__(self, store: Store, place: World) -> None:
        self.store, self.place = store, place

    def agree(self, outcome: Outcome, identity: str = "") -> None:
        """Tell the outcome of the preparation here, and compare it with that of all others.

        Args:
            outcome: how it has ended here; only rank 0 knows of a finished earlier run.
            identity: the identity of the run that this process has prepared.

        Raises:
            Elsewhere: the run does not begin, and another process says why.
            InputError: the processes have prepared different runs (on rank 0).
        """
        rank = self.place.rank
        self._tell(f"{rank}", {"outcome": outcome, "identity": identity})
        told = [self._ask(f"{each}") for each in range(self.place.size)]
        self._tell(f"{rank} has heard", {})
        if not rank:  # without torchrun the store ends with rank 0
            for each in range(self.place.size):
                self._ask(f"{each} has heard")
        refused = [each for each, one in enumerate(told) if one["outcome"] == "refused"]
        if refused[:1] == [rank]:
            return  # the caller raises its own error
        if refused or (rank and told[0]["outcome"] == "finished"):
            raise Elsewhere
        others = [n for n, each in enumerate(told) if each["identity"] != told[0]["identity"]]
        if others and told[0]["outcome"] == "ready":
            if rank:
                raise Elsewhere
            raise InputError(
                f"rank {others[0]} has prepared another run than rank 0; give all processes the "
                "same command, source, data and versions, and GPUs of the same kind"
            )

    def fail(self, error: BaseException) -> None:
        """Say that this process ends with an error, before the others notice its end."""
        text = shortened(f"{type(error).__name__}: {text_of(error)}", 400)
        with contextlib.suppress(RuntimeError):  # rank 0 has ended, and the store with it
            self._tell(_FAILED, {"rank": self.place.rank, "text": text})

    def failure(self) -> str | None:
        """Return which process has failed and why, None if none has said so."""
        if not self.store.check([_FAILED]):
            return None
        told = self._ask(_FAILED)
        return f"rank {told['rank']} has failed: {told['text']}"

    def speaks_first(self) -> bool:
        """Return whether this process is the first one to report a lost one."""
        return self.store.add(_LOST, 1) == 1

    def end(self) -> None:
        """Say that this process has done everything."""
        self._tell(_ENDED, {})

    def wait_for_the_end(self) -> None:
        """Wait until rank 0 has done everything; torchrun signals all when one has ended."""
        deadline = time.monotonic() + _LAST_SECONDS
        with contextlib.suppress(RuntimeError):  # rank 0 has ended, and the store with it
            while not self.store.check([_ENDED]) and time.monotonic() < deadline:
                time.sleep(_POLL_SECONDS)

    def _tell(self, key: str, value: dict[str, Any]) -> None:
        self.store.set(key, json.dumps(value))

    def _ask(self, key: str) -> dict[str, Any]:
        deadline = time.monotonic() + _PATIENCE.total_seconds()
        while not self.store.check([key]):
            if time.monotonic() > deadline:
                raise InputError(
                    f"WORLD_SIZE={self.place.size}: nothing from rank {key} within {_PATIENCE}; "
                    "start all processes"
                )
            time.sleep(_POLL_SECONDS)
        told: dict[str, Any] = json.loads(self.store.get(key))
        return told


def alone(key: str, advice: str) -> None:
    """Check that this process is the only one of its command.

    Args:
        key: what needs that.
        advice: what to do otherwise.

    Raises:
        InputError: there are others (on rank 0).
        Elsewhere: there are others, and rank 0 says so.
    """
    place = world()
    if place.rank:
        raise Elsewhere
    if place.size > 1:
        raise InputError(
            f"{key}: needs one process, and torchrun has started {place.size}; {advice}"
        )


@functools.cache
def meeting() -> Meeting:
    """Return the meeting of this run's processes; wait for those that have not come."""
    from torch.distributed.distributed_c10d import PrefixStore
    from torch.distributed.rendezvous import rendezvous

    store, _, _ = next(rendezvous("env://", timeout=_PATIENCE))
    return Meeting(PrefixStore("experiments", store), world())


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
        Elsewhere: the run does not begin, and another process says why.
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
def ending_together() -> Iterator[None]:
    """Train with others: say when this process fails, and end in silence when another has failed.

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
        raise
    finally:
        if met.place.rank == 0:
            met.end()
