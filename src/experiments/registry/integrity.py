"""Checks that the files of a run match its journal, before they are used."""

from __future__ import annotations

import json
import os
from pathlib import Path

from experiments.errors import InputError
from experiments.files.checksums import sha256_of
from experiments.journal import NAME, history

WEIGHTS, CHECKPOINTS = "weights.safetensors", "checkpoints"


def refuse_remains(folder: Path, state: str) -> None:
    """Refuse a folder that holds the saved files of a run, but not its journal.

    Args:
        folder: the folder.
        state: the state of the journal, for the message.

    Raises:
        InputError: it holds checkpoints or weights.
    """
    for name in (CHECKPOINTS, WEIGHTS):
        if (folder / name).exists():
            raise InputError(
                f"{os.path.relpath(folder / NAME)}: {state}, and {name} lies beside it; "
                f"restore it, or move {os.path.relpath(folder)} away to train anew"
            )


def refuse_checkpoints_of(identity: str, folder: Path) -> None:
    """Refuse another run's folder if it holds a checkpoint of an identity.

    Raises:
        InputError: it holds one.
    """
    from safetensors import SafetensorError, safe_open

    for path in (folder / CHECKPOINTS).glob("*.safetensors"):
        try:
            with safe_open(path, framework="np") as file:
                saved_by = json.loads(file.metadata()["experiments"])["identity"]
        except (SafetensorError, OSError, ValueError, LookupError, TypeError, RecursionError):
            continue  # damaged; a command that resumes from it reports it
        if saved_by == identity:
            raise InputError(
                f"{os.path.relpath(folder / NAME)}: is of another run than {path.name} "
                f"beside it; restore it, or move {os.path.relpath(folder)} away to train anew"
            )


def check_weights(folder: Path) -> None:
    """Check that the weights in a finished run's folder match the SHA-256 in its journal.

    Raises:
        InputError: they do not match, or cannot be read.
    """
    kept = history(folder).tags.get("weights_sha256")
    path = folder / WEIGHTS
    if kept is None:
        return  # a diverged run keeps no weights
    advice = "restore the file, or train anew with force=true"
    try:
        found = sha256_of(path)
    except OSError as error:
        raise InputError(
            f"{os.path.relpath(path)}: cannot be read ({error.strerror}), so the finished run is "
            f"incomplete; {advice}"
        ) from error
    if found != kept:
        raise InputError(
            f"{os.path.relpath(path)}: is damaged (its SHA-256 is not the one in the journal); "
            f"{advice}"
        )
