"""The GPUs of a machine, divided among the processes of a launcher.

A process takes GPUs before it starts its worker and holds them until it ends. Each GPU has places,
the locks of files: one process holds a place, and the system frees it. Below Ray or Slurm a process
sees its own GPUs alone, so there is nothing to divide.
"""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from experiments.config import RunConfig
from experiments.errors import InputError, unwritable
from experiments.files.locks import locked
from experiments.files.safe_writes import make_folder
from experiments.process.gpus import VISIBLE, refuse_unseen, torch_uses_gpus, visible_gpus
from experiments.sweep.launchers import LauncherFacts

_held: list[FileLock] = []  # until this process ends


def take_gpus(device: str, count: int | None) -> None:
    """Let the worker of this process see GPUs that no other process of this user has taken.

    If all are taken, they are shared: each gets a second process before any gets a third.

    Args:
        device: `trainer.device` of a job. One with a number is the user's own choice.
        count: the number of GPUs of a job; None for one.
    """
    found = visible_gpus()
    if device in {"auto", "cuda"} and len(found) > (count or 1):
        slot, places = claim(slots(found, count or 1), _folder())
        _held.extend(places)
        os.environ[VISIBLE] = ",".join(slot)


def slots(gpus: Sequence[str], count: int) -> list[tuple[str, ...]]:
    """Return the groups of so many GPUs, neighbours together; left-over GPUs are in none."""
    return [tuple(gpus[at : at + count]) for at in range(0, len(gpus) - count + 1, count)]


def claim(slots: Sequence[tuple[str, ...]], folder: Path) -> tuple[tuple[str, ...], list[FileLock]]:
    """Return the first slot whose fullest GPU has the fewest processes, and a place on each GPU.

    Args:
        slots: groups of GPUs, at least one.
        folder: the folder of the locks, the same for all processes of a machine.

    Raises:
        InputError: a file may not be made there.
        RunError: the disk refuses a file.
    """
    with locked(folder / "claim.lock"):  # two at once would take the same places
        found = {gpu: _places(gpu, folder) for gpu in itertools.chain(*slots)}
        slot = min(slots, key=lambda gpus: max(found[gpu][0] for gpu in gpus))
        places = [found[gpu][1] for gpu in slot]
        for place in places:
            _take(place, folder)
    return slot, places


def _places(gpu: str, folder: Path) -> tuple[int, FileLock]:
    """Return how many places of a GPU are taken, and the first that is free."""
    here = folder / gpu.replace("/", "_")
    make_folder(here)
    known = {int(file.stem) for file in here.glob("*.lock")}
    new = next(number for number in itertools.count() if number not in known)
    free, taken = [new], 0
    for number in known:
        lock = FileLock(here / f"{number}.lock")
        if _take(lock, folder):
            lock.release()
            free.append(number)
        else:
            taken += 1
    return taken, FileLock(here / f"{min(free)}.lock")


def _take(lock: FileLock, folder: Path) -> bool:
    """Take a lock if it is free; return whether it was."""
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    except OSError as error:
        raise unwritable(error, folder) from error
    return True


def _folder() -> Path:
    folder = Path(tempfile.gettempdir(), f"experiments-gpus-{os.getuid()}")
    make_folder(folder)
    return folder


def about_gpus(configs: Sequence[RunConfig], facts: LauncherFacts) -> Iterator[str]:
    """Yield the lines of a plan about GPUs that jobs on this machine share.

    Raises:
        InputError: a job wants more GPUs than this process sees, or its launcher or torch gives
            it none, or CUDA knows fewer GPUs than are named.
    """
    wanted = configs[0].sweep.gpus_per_job
    if facts.in_this_process and wanted is not None:
        raise InputError(
            f"sweep.gpus_per_job={wanted}: has no effect with this launcher, which trains one job "
            "or stack at a time on the first GPU; choose hydra/launcher=processes, or leave it null"
        )
    is_for_gpus = any(config.trainer.device in {"auto", "cuda"} for config in configs)
    if facts.remote or facts.in_this_process or not is_for_gpus:
        return
    found = visible_gpus()
    if wanted is not None and wanted > len(found):
        fewer = f"at most {len(found)}, or null for one" if found else "null, or another launcher"
        raise InputError(
            f"sweep.gpus_per_job={wanted}: this machine has {len(found) or 'no'} GPUs that a job "
            f"can see; choose {fewer}"
        )
    refuse_unseen()
    if found and not torch_uses_gpus():
        here = f"this machine has {len(found)} GPUs, and the installed torch is built for none"
        if wanted is not None:
            raise InputError(
                f"sweep.gpus_per_job={wanted}: {here}; install a torch with CUDA, or leave it null"
            )
        yield f"  {here}: the jobs train on the CPU"
        return
    processes, room = facts.processes, len(found) // (wanted or 1)
    if found and processes is not None and not 0 < processes <= room:
        count = processes if processes > 0 else "all"
        yield f"  {count} processes share {len(found)} GPUs in turn; {room} at once have their own"
