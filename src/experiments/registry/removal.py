"""Removal of a run: its folder and its entry in the index go together, or neither does."""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from pathlib import Path

from experiments import journal
from experiments.errors import InputError, unwritable
from experiments.files.locks import locked
from experiments.files.safe_writes import make_folder
from experiments.journal import Place
from experiments.journal.events import end_of
from experiments.registry.identities import INDEX, folder_noted, note_folder

DELETED = ".deleted"
"""the folder of runs whose deletion has begun, inside the folder of all runs"""


def remove(outputs: Path, folder: Path, identity: str, end: Place, heir: Path | None) -> None:
    """Delete a run that no process trains.

    A command that is killed meanwhile leaves either the whole run, or a remainder in `.deleted`.

    Args:
        outputs: the folder of all runs.
        folder: the run's folder.
        identity: its identity.
        end: the end of its journal when it was chosen.
        heir: the folder of a finished run of the same identity, which the index names from now on.

    Raises:
        InputError: a process has trained it since, it is gone, or it may not be deleted.
        RunError: the disk refuses.
    """
    index = outputs / INDEX
    make_folder(index)
    make_folder(outputs / DELETED)
    aside = outputs / DELETED / uuid.uuid4().hex
    with locked(index / ".lock"):
        _refuse_changed(folder, end)
        is_entry = folder_noted(outputs, identity) == folder.absolute()
        try:
            folder.rename(aside)
            if is_entry and heir is None:
                (index / identity).unlink()
        except OSError as error:
            raise unwritable(error, folder) from error
        if is_entry and heir is not None:
            note_folder(outputs, identity, heir)
    discard(aside)
    _remove_empty(folder.parent, outputs)


def remove_remains(outputs: Path, path: Path) -> None:
    """Delete a file or folder that a killed process has left, unless its run is trained again.

    Raises:
        InputError: a process is training the run, or it may not be deleted.
        RunError: the disk refuses.
    """
    make_folder(outputs / INDEX)
    with locked(outputs / INDEX / ".lock"):
        if (path.parent / journal.NAME).exists():
            _refuse_open(path.parent)
        discard(path)


def discard(path: Path) -> None:
    """Delete a file, or a folder with everything in it, unless another command has done so.

    Raises:
        InputError: it may not be deleted.
        RunError: the disk refuses.
    """
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    except FileNotFoundError:
        pass  # another command deletes it at the same time
    except OSError as error:
        raise unwritable(error, path) from error


def _refuse_changed(folder: Path, end: Place) -> None:
    _refuse_open(folder)
    if end_of(folder) != end:
        raise InputError(
            f"{os.path.relpath(folder)}: was trained since it was listed, so it was not deleted"
        )


def _refuse_open(folder: Path) -> None:
    said = os.path.relpath(folder)
    try:
        if journal.is_open(folder):
            raise InputError(f"{said}: a process is training it now, so it was not deleted")
    except FileNotFoundError:
        raise InputError(f"{said}: is gone; another command has deleted it") from None


def _remove_empty(folder: Path, outputs: Path) -> None:
    """Remove the folders above a run that are empty now."""
    while folder != outputs and outputs in folder.parents:
        with contextlib.suppress(OSError):  # another run is in it
            folder.rmdir()
        folder = folder.parent
