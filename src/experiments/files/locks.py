"""Locks that processes hold by a file, and that the system lets go of however a process ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from experiments.errors import unwritable


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock that a file stands for, waiting for whoever has it.

    Raises:
        InputError: the file may not be made there.
        RunError: the disk does not take it.
    """
    lock = FileLock(path)
    try:
        lock.acquire()
    except OSError as error:
        raise unwritable(error, path) from error
    try:
        yield
    finally:
        lock.release()
