"""The folder of a run, before it is made."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from experiments.errors import InputError

_ROOM = 50_000_000  # bytes that should be free for a run's folder


def check_writable(key: str, folder: Path) -> None:
    """Check that a folder can be made and filled, leaving nothing behind.

    Args:
        key: what names it in the configuration.
        folder: the folder.

    Raises:
        InputError: it cannot.
    """
    existing = folder.absolute()
    try:
        while not existing.exists():
            existing = existing.parent
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise InputError(
            f"{key}={folder}: cannot write in {existing} ({error.strerror}); name another "
            "folder, or make this one writable"
        ) from error
    free = shutil.disk_usage(existing).free
    if free < _ROOM:
        raise InputError(
            f"{key}={folder}: {free:,} bytes are free in {existing} and {_ROOM:,} are "
            "needed; make room, or name another folder"
        )
