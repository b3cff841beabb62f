"""The folder of an explanation, which is told from a folder with files of the user's."""

from __future__ import annotations

import json
from pathlib import Path

from experiments.errors import InputError, unreadable

INDEX, SUMMARY = "index.html", "summary.json"
KIND = "explanation"
"""the value of `kind` in the summary"""


def check_output(folder: Path) -> None:
    """Check that an explanation may be written into a folder.

    It may be new or empty, or hold an earlier explanation, which is then replaced.

    Raises:
        InputError: it is a file or a link, it holds other files, it cannot be read, or its parent
            does not exist.
    """
    if folder.is_symlink():
        raise InputError(f"--output={folder}: is a link; name the folder itself")
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--output={folder}: is a file; name a folder")
    if not folder.parent.is_dir():
        raise InputError(f"--output={folder}: there is no folder {folder.parent}; make it first")
    try:
        is_free = not folder.exists() or not any(folder.iterdir()) or _is_explanation(folder)
    except OSError as error:
        raise unreadable(error, folder) from error
    if not is_free:
        raise InputError(
            f"--output={folder}: holds other files, which might be overwritten; name a new or "
            "empty folder, or that of an earlier explanation"
        )


def _is_explanation(folder: Path) -> bool:
    try:
        told = json.loads((folder / SUMMARY).read_bytes())
    except (FileNotFoundError, ValueError):
        return False
    return isinstance(told, dict) and told.get("kind") == KIND
