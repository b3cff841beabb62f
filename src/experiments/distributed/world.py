"""The place of this process among those that train one run, as torchrun tells it."""

from __future__ import annotations

import os
from dataclasses import dataclass

from experiments.errors import InputError


@dataclass(frozen=True)
class World:
    """The place of a process among the processes of a run."""

    rank: int = 0
    """its number, from 0; rank 0 records, saves and prints"""
    size: int = 1
    """the number of processes"""
    local_rank: int = 0
    """its number among the processes on this machine, which chooses its GPU"""


def world() -> World:
    """Return the place of this process, by the environment variables of torchrun.

    Raises:
        InputError: they are incomplete, or not numbers.
    """
    if os.environ.get("WORLD_SIZE", "1") == "1":
        return World()
    size, rank = _number("WORLD_SIZE"), _number("RANK")
    for name in ("MASTER_ADDR", "MASTER_PORT"):
        if not os.environ.get(name):
            raise _incomplete(name)
    return World(rank, size, _number("LOCAL_RANK", "0"))


def _number(name: str, default: str = "") -> int:
    text = os.environ.get(name, default)
    if not text:
        raise _incomplete(name)
    if not text.isdecimal():
        raise InputError(
            f"{name}={text}: it should be a whole number; start the processes with torchrun"
        )
    return int(text)


def _incomplete(name: str) -> InputError:
    return InputError(
        f"WORLD_SIZE={os.environ['WORLD_SIZE']}: {name} is not set beside it; start the processes "
        "with torchrun, or unset WORLD_SIZE for a run in one process"
    )


def is_first() -> bool:
    """Return whether this process prints the errors that all processes share."""
    return os.environ.get("RANK", "0") == "0" or os.environ.get("WORLD_SIZE", "1") == "1"


def keep_one_voice() -> None:
    """Drop the standard output of each process but the first, also that of a user's own code.

    Torch's C++ code would also report each connection to a process that has ended, in many lines.
    Call this before torch is imported.
    """
    if os.environ.get("WORLD_SIZE", "1") != "1":
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    if not is_first():
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.close(nowhere)
