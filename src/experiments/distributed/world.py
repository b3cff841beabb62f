"""The place of this process among those that train one run, as torchrun tells it."""

from __future__ import annotations

import os
from dataclasses import dataclass

from experiments.errors import InputError
from experiments.process.signals import be_one_of_several


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
        InputError: they are incomplete, or not numbers in their ranges.
    """
    if "WORLD_SIZE" not in os.environ:
        return World()
    size = _number("WORLD_SIZE", least=1)
    if size == 1:
        _number("RANK", "0", most=0)
        return World()
    rank = _number("RANK", most=size - 1)
    if not os.environ.get("MASTER_ADDR"):
        raise _incomplete("MASTER_ADDR")
    _number("MASTER_PORT", least=1, most=65535)
    return World(rank, size, _number("LOCAL_RANK", "0"))


def _number(name: str, default: str = "", *, least: int = 0, most: int | None = None) -> int:
    text = os.environ.get(name, default)
    if not text and name != "WORLD_SIZE":
        raise _incomplete(name)
    is_number = text.isascii() and text.isdecimal()
    if not is_number or int(text) < least or (most is not None and int(text) > most):
        allowed = f"from {least}" if most is None else f"from {least} to {most}"
        beside = "" if name == "WORLD_SIZE" else f" (WORLD_SIZE={os.environ['WORLD_SIZE']})"
        raise InputError(
            f"{name}={text}: it should be a whole number {allowed}{beside}; start the processes "
            "with torchrun, or unset WORLD_SIZE for a run in one process"
        )
    return int(text)


def _incomplete(name: str) -> InputError:
    return InputError(
        f"WORLD_SIZE={os.environ['WORLD_SIZE']}: {name} is not set beside it; start the processes "
        "with torchrun, or unset WORLD_SIZE for a run in one process"
    )


def keep_one_voice() -> None:
    """Drop the standard output of each process but the first, also that of a user's own code.

    Torch's C++ code would also report each connection to a process that has ended, in many lines.
    Call this before torch is imported.

    Raises:
        InputError: the place of this process is not told as torchrun does.
    """
    place = world()
    if place.size > 1:
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
        be_one_of_several()
    if place.rank:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.close(nowhere)
