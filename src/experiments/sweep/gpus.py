"""The GPUs of a machine, divided among the processes of a launcher.

A process takes GPUs before it starts its worker and holds them until it ends: the lock of a file
per slot is held by one process, and the system frees it. Below Ray or Slurm a process sees its own
GPUs alone, so there is nothing to divide.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from experiments.config import RunConfig
from experiments.errors import InputError, unwritable
from experiments.files.safe_writes import make_folder
from experiments.process.gpus import VISIBLE, visible_gpus
from experiments.sweep.launchers import LauncherFacts

_held: list[FileLock] = []  # until this process ends


def take_gpus(device: str, count: int | None) -> None:
    """Let the worker of this process see GPUs that no other process of this user has taken.

    If all are taken, they are shared: each slot gets a second process before any gets a third.

    Args:
        device: `trainer.device` of a job. One with a number is the user's own choice.
        count: the number of GPUs of a job; None for one.
    """
    found = visible_gpus()
    if device in {"auto", "cuda"} and len(found) > (count or 1):
        slot, lock = claim(slots(found, count or 1), _folder())
        _held.append(lock)
        os.environ[VISIBLE] = ",".join(slot)


def slots(gpus: Sequence[str], count: int) -> list[tuple[str, ...]]:
    """Return the groups of so many GPUs, neighbours together; left-over GPUs are in none."""
    return [tuple(gpus[at : at + count]) for at in range(0, len(gpus) - count + 1, count)]


def claim(slots: Sequence[tuple[str, ...]], folder: Path) -> tuple[tuple[str, ...], FileLock]:
    """Return the first slot with the fewest processes, and a lock that holds a place in it.

    Args:
        slots: groups of GPUs, at least one.
        folder: the folder of the locks, the same for all processes of a machine.

    Raises:
        InputError: a file may not be made there.
        RunError: the disk refuses a file.
    """
    level = 0
    while True:
        for slot in slots:
            lock = FileLock(folder / f"{level}-{'+'.join(slot).replace('/', '_')}.lock")
            try:
                lock.acquire(timeout=0)
            except Timeout:
                continue
            except OSError as error:
                raise unwritable(error, folder) from error
            return slot, lock
        level += 1


def _folder() -> Path:
    folder = Path(tempfile.gettempdir(), f"experiments-gpus-{os.getuid()}")
    make_folder(folder)
    return folder


def about_gpus(configs: Sequence[RunConfig], facts: LauncherFacts) -> Iterator[str]:
    """Yield the lines of a plan about GPUs that jobs on this machine share.

    Raises:
        InputError: a job wants more GPUs than this process sees.
    """
    wanted = configs[0].sweep.gpus_per_job
    is_for_gpus = any(config.trainer.device in {"auto", "cuda"} for config in configs)
    if facts.remote or facts.in_this_process or not is_for_gpus:
        return
    found = visible_gpus()
    if wanted is not None and wanted > len(found):
        raise InputError(
            f"sweep.gpus_per_job={wanted}: this machine has {len(found)}; choose fewer, or null "
            "for one, if there is one"
        )
    processes, room = facts.processes, len(found) // (wanted or 1)
    if found and processes is not None and not 0 < processes <= room:
        count = processes if processes > 0 else "all"
        yield f"  {count} processes share {len(found)} GPUs in turn; {room} at once have their own"
