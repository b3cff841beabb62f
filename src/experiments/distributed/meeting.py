"""The meeting of a run's processes: what each tells the others beside the training itself.

They meet in torch's key-value store, which torchrun keeps. There they agree whether the run begins,
and a process that fails says so before it ends, so that one of them alone prints the reason.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from experiments.distributed.waiting import PATIENCE, POLL_SECONDS, Waiting, is_open
from experiments.distributed.world import World, world
from experiments.errors import InputError, RunError, shortened, text_of

if TYPE_CHECKING:
    from torch.distributed.distributed_c10d import Store

Outcome = Literal["ready", "finished", "refused"]
"""how the preparation of a run has ended in a process"""

_CONNECT = timedelta(seconds=10)
_LAST_SECONDS = 60.0  # for the last checkpoint of rank 0, after a signal
_FAILED, _ENDED, _SPEAKER = "failed", "ended", "speaker"


class Silenced(SystemExit):
    """Ends a process in silence, because another process of the run gives the reason."""

    def __init__(self) -> None:
        super().__init__(0)


class Meeting:
    """The store in which the processes of a run meet."""

    def __init__(self, store: Store, place: World) -> None:
        self.store, self.place = store, place
        self.has_agreed = False
        self._speaks: bool | None = None

    def agree(self, outcome: Outcome, identity: str = "") -> None:
        """Tell the outcome of the preparation here, and compare it with that of all others.

        Args:
            outcome: how it has ended here; only rank 0 knows of a finished earlier run.
            identity: the identity of the run that this process has prepared.

        Raises:
            Silenced: the run does not begin, and another process says why.
            InputError: the processes have prepared different runs (on rank 0), or one has not come.
            RunError: the store has ended, and with it the process that keeps it.
        """
        from torch.distributed import DistError

        rank, self.has_agreed = self.place.rank, True
        try:
            self._tell(f"outcome of {rank}", {"outcome": outcome, "identity": identity})
            told = self._ask_all("outcome of")
            self._tell(f"heard by {rank}", {})
            if not rank:  # without torchrun the store ends with rank 0
                self._ask_all("heard by")
        except DistError as error:
            raise RunError(
                f"rank {rank} of {self.place.size}: rank 0 or torchrun has ended before the run "
                "began; repeat the command"
            ) from error
        refused = [each for each, one in enumerate(told) if one["outcome"] == "refused"]
        if refused[:1] == [rank]:
            return  # the caller raises its own error
        if refused or (rank and told[0]["outcome"] == "finished"):
            raise Silenced
        others = [n for n, each in enumerate(told) if each["identity"] != told[0]["identity"]]
        if others and told[0]["outcome"] == "ready":
            if rank:
                raise Silenced
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
        told = self._get(_FAILED)
        return f"rank {told['rank']} has failed: {told['text']}"

    def refuse(self, error: Exception) -> None:
        """Say that this process ends with an error before its training.

        Raises:
            Silenced: the run does not begin, and another process says why.
        """
        if self.has_agreed:
            self.fail(error)
        else:
            self.agree("refused")

    def speaks_first(self) -> bool:
        """Return whether this process is the first one to report the failure of the run."""
        if self._speaks is None:
            self._speaks = self.store.add(_SPEAKER, 1) == 1
        return self._speaks

    def end(self) -> None:
        """Say that this process has done everything."""
        self._tell(_ENDED, {})

    def wait_for_the_end(self) -> None:
        """Wait until rank 0 has done everything; torchrun signals all when one has ended."""
        deadline = time.monotonic() + _LAST_SECONDS
        with contextlib.suppress(RuntimeError):  # rank 0 has ended, and the store with it
            while not self.store.check([_ENDED]) and time.monotonic() < deadline:
                time.sleep(POLL_SECONDS)

    def _tell(self, key: str, value: dict[str, Any]) -> None:
        self.store.set(key, json.dumps(value))

    def _get(self, key: str) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.store.get(key))
        return told

    def _ask_all(self, what: str) -> list[dict[str, Any]]:
        """Return what each process tells under a name; wait for it."""
        waiting, missing = Waiting(self.place), [*range(self.place.size)]
        while missing := [each for each in missing if not self.store.check([f"{what} {each}"])]:
            waiting.turn(missing, is_told=not self.place.rank)
        return [self._get(f"{what} {each}") for each in range(self.place.size)]


@functools.cache
def meeting() -> Meeting:
    """Return the meeting of this run's processes; wait for the process that keeps it.

    torchrun keeps it, or else rank 0.

    Raises:
        InputError: the port cannot be opened, or nobody has opened it for too long.
    """
    from torch import distributed
    from torch.distributed.distributed_c10d import PrefixStore

    place = world()
    host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    keeps = not place.rank and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True"
    waiting = Waiting(place)
    while not keeps and not is_open(host, port):  # torch would wait without heeding signals
        waiting.turn([0], is_told=True)
    try:
        store = distributed.TCPStore(  # type: ignore[attr-defined]
            host, port, place.size, is_master=keeps, timeout=_CONNECT, wait_for_workers=False
        )
    except distributed.DistNetworkError as error:
        raise InputError(
            f"MASTER_ADDR={host} MASTER_PORT={port}: cannot be "
            f"{'opened' if keeps else 'reached'} ({text_of(error).partition('. ')[0]}); choose the "
            "address of this machine and a free port, or start the processes with torchrun"
        ) from error
    store.set_timeout(PATIENCE)
    return Meeting(PrefixStore("experiments", store), place)
