"""Waits for other processes, in which signals are heeded: torch's own waits heed none."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from experiments.distributed.world import World
from experiments.errors import InputError
from experiments.redaction.hide import hidden

if TYPE_CHECKING:
    import torch
    from torch.distributed import Work

PATIENCE = timedelta(minutes=30)  # rank 0 may fetch the data, or write a large checkpoint
_SILENT_SECONDS = 15.0  # a wait as long as this is told
POLL_SECONDS = 0.02  # a wait inside the store would heed no signal
_TURN = timedelta(seconds=1)


class Waiting:
    """A wait for processes, which heeds signals, and is told after a while."""

    def __init__(self, place: World) -> None:
        self._place, self._began, self._is_told = place, time.monotonic(), False

    def turn(self, missing: Sequence[int], *, is_told: bool) -> None:
        """Wait a moment for processes.

        Args:
            missing: their ranks.
            is_told: whether a long wait is told in a line on stderr.

        Raises:
            InputError: they have not come for too long.
        """
        waited = time.monotonic() - self._began
        names = ", ".join(map(str, missing))
        place = " ".join(
            f"{name}={os.environ.get(name)}"
            for name in ("WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
        )
        advice = "start all processes, or unset WORLD_SIZE for a run in one process"
        if waited > PATIENCE.total_seconds():
            raise InputError(f"{place}: nothing from rank {names} within {PATIENCE}; {advice}")
        if is_told and waited > _SILENT_SECONDS and not self._is_told:
            self._is_told = True
            line = f"rank {self._place.rank} waits for rank {names} ({place}); {advice}"
            print(hidden(line), file=sys.stderr)  # noqa: T201  (no log before a run)
        time.sleep(POLL_SECONDS)


def is_open(host: str, port: int) -> bool:
    """Return whether a process listens at an address."""
    try:
        socket.create_connection((host, port), timeout=1.0).close()
    except OSError:
        return False
    return True


def wait_for(exchange: Work | None, device: torch.device) -> None:
    """Wait for an exchange; on the CPU in turns, since torch heeds no signal while it waits.

    Args:
        exchange: what torch has begun; None if nothing remains to be done.
        device: the device of the tensors.
    """
    if exchange is None or device.type == "cuda":  # a GPU waits in its own queue
        if exchange is not None:
            exchange.wait()
        return
    while True:
        try:
            exchange.wait(_TURN)
        except RuntimeError as error:
            if "Operation timed out!" not in str(error):  # of one turn; gloo says it otherwise
                raise
        else:
            return
