"""The folder of a run, before it is made."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from experiments.errors import InputError
from experiments.redaction import hidden

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
    while not existing.exists():
        existing = existing.parent
    check_name(key, str(folder.absolute().relative_to(existing)))
    try:
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


def check_name(key: str, name: str) -> None:
    """Check that the name of a folder to be made holds no secret.

    Args:
        key: what names the folder in the configuration.
        name: its name, with those above it that are not there yet.

    Raises:
        InputError: it does.
    """
    if hidden(name) != name:
        raise InputError(
            f"{key}={hidden(name)}: the folder would have a secret in its name; name another"
        )
