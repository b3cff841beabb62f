"""Write files that survive a kill or a power cut, and never write through a link.

Other users may write into a shared folder and can guess the names in it. So if a link lies in the
place of a file, the link is replaced or the write is refused.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from experiments.errors import InputError, unwritable


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that it exists whole or not at all, also after a power cut.

    Raises:
        InputError: something of the user's is in the way.
        RunError: the disk refuses the file; the earlier file is unchanged.
    """
    write_all(path.parent, {path.name: content})


def write_all(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files into a folder, each atomically; only one process may do so at a time.

    Args:
        folder: an existing folder.
        files: their contents by name.

    Raises:
        InputError: something of the user's is in the way.
        RunError: the disk refuses a file; the earlier file of that name is unchanged.
    """
    for name, content in files.items():
        staged = folder / f".{name}.partial"
        try:
            staged.unlink(missing_ok=True)  # left by a killed process, or a link
            with staged.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            staged.replace(folder / name)
        except OSError as error:
            with contextlib.suppress(OSError):  # a disk that failed may refuse this as well
                staged.unlink()
            raise unwritable(error, folder / name, len(content)) from error
    sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk.

    Raises:
        InputError: the folder may not be opened.
        RunError: the disk fails.
    """
    try:
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
    except OSError as error:
        raise unwritable(error, folder) from error


def open_to_append(path: Path) -> IO[bytes]:
    """Open a file to append to it unbuffered; make it if it does not exist.

    Raises:
        InputError: a link or something else that is no file lies there, or it may not be written.
        RunError: the disk refuses the file.
    """
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        file = os.fdopen(os.open(path, flags, 0o666), "ab", buffering=0)
    except OSError as error:
        raise unwritable(error, path) from error
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise InputError(f"{os.path.relpath(path)}: is no file; remove it")
    return file


def make_folder(path: Path) -> None:
    """Make a folder if it does not exist, with the folders above it.

    Raises:
        InputError: a link or a file lies there, or the folder above may not be written.
        RunError: the disk refuses the folder.
    """
    if path.is_symlink():
        raise InputError(
            f"{os.path.relpath(path)}: is a link; remove it, since somebody else may have put it "
            "there"
        )
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(error, path) from error
