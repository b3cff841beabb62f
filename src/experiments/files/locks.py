"""Locks between processes, by a file; the system frees a lock when its process ends or dies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from experiments.errors import unwritable


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a file, and wait without limit while another process holds it.

    Raises:
        InputError: the file may not be made there.
        RunError: the disk refuses the file.
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
