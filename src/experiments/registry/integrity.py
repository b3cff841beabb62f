"""Evidence: whether the files of a run are what its journal tells, before they are believed."""

from __future__ import annotations

import json
import os
from pathlib import Path

from experiments.errors import InputError
from experiments.files.checksums import sha256_of
from experiments.journal import NAME, history

WEIGHTS, CHECKPOINTS = "weights.safetensors", "checkpoints"


def refuse_remains(folder: Path, state: str) -> None:
    """Refuse a folder that holds what a run has saved, and no journal that tells of it.

    Args:
        folder: the folder.
        state: what became of the journal.

    Raises:
        InputError: it does.
    """
    for name in (CHECKPOINTS, WEIGHTS):
        if (folder / name).exists():
            raise InputError(
                f"{os.path.relpath(folder / NAME)}: {state}, and {name} lies beside it; "
                f"restore it, or move {os.path.relpath(folder)} away to train anew"
            )


def refuse_checkpoints_of(identity: str, folder: Path) -> None:
    """Refuse a folder whose journal is another run's, beside checkpoints of an identity.

    Raises:
        InputError: it is.
    """
    from safetensors import SafetensorError, safe_open

    for path in (folder / CHECKPOINTS).glob("*.safetensors"):
        try:
            with safe_open(path, framework="np") as file:
                saved_by = json.loads(file.metadata()["experiments"])["identity"]
        except (SafetensorError, OSError, ValueError, LookupError, TypeError, RecursionError):
            continue  # damaged; the command that would continue from it says so
        if saved_by == identity:
            raise InputError(
                f"{os.path.relpath(folder / NAME)}: is of another run than {path.name} "
                f"beside it; restore it, or move {os.path.relpath(folder)} away to train anew"
            )


def check_weights(folder: Path) -> None:
    """Check that the weights in a finished run's folder are the ones that it kept.

    Raises:
        InputError: they are not.
    """
    kept = history(folder).tags.get("weights_sha256")
    path = folder / WEIGHTS
    if kept is None:
        return  # it diverged
    advice = "restore the file, or train anew with force=true"
    try:
        found = sha256_of(path)
    except OSError as error:
        raise InputError(
            f"{os.path.relpath(path)}: cannot be read ({error.strerror}), so the run is not as it "
            f"was finished; {advice}"
        ) from error
    if found != kept:
        raise InputError(
            f"{os.path.relpath(path)}: is damaged (its SHA-256 is not the one in the journal); "
            f"{advice}"
        )
