"""Checks of the folder of a run, before it is made."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from experiments.errors import InputError
from experiments.redaction.hide import hidden

_ROOM = 50_000_000  # bytes that should be free for a run's folder
_BELOW = 200  # characters of a path below a run's folder
_LONGEST_PATH, _LONGEST_NAME = 4096, 255  # bytes; the limits of Linux
_SHOWN = 100  # characters


def check_writable(key: str, folder: Path) -> None:
    """Check that a folder can be made and filled; leave nothing behind.

    Args:
        key: the configuration key that names the folder.
        folder: the folder.

    Raises:
        InputError: the folder cannot be made or filled.
    """
    existing = _existing(key, folder)
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


def _existing(key: str, folder: Path) -> Path:
    """Return the deepest folder of a path that exists already.

    Raises:
        InputError: the text is no valid path, or something that is not a folder is in the way.
    """
    text = str(folder)
    said = f"{key}={text if len(text) <= _SHOWN else text[:_SHOWN] + '…'}".replace("\0", "\\0")
    try:
        path = os.fsencode(folder.absolute())
    except ValueError as error:
        raise InputError(f"{said}: holds a character that no path has; remove it") from error
    if b"\0" in path:
        raise InputError(f"{said}: holds a character that no path has; remove it")
    longest = max(map(len, path.split(b"/")))
    if len(path) + _BELOW > _LONGEST_PATH or longest > _LONGEST_NAME:
        raise InputError(
            f"{said}: is too long, with {len(path)} bytes and {longest} in one name; at most "
            f"{_LONGEST_PATH - _BELOW} and {_LONGEST_NAME} are allowed: name a shorter one"
        )
    existing = folder.absolute()
    while not os.path.lexists(existing):
        existing = existing.parent
    if not existing.is_dir():
        what = "a link that leads nowhere" if existing.is_symlink() else "no folder"
        raise InputError(f"{said}: cannot write in {existing}: it is {what}; name another folder")
    return existing


def check_name(key: str, name: str) -> None:
    """Check that the name of a folder to be made holds no secret.

    Args:
        key: the configuration key that names the folder.
        name: its name, with the names above it that do not exist yet.

    Raises:
        InputError: the name holds a secret.
    """
    if hidden(name) != name:
        raise InputError(
            f"{key}={hidden(name)}: the folder would have a secret in its name; name another"
        )
