"""Find the run that a person names: by its folder, or by the beginning of one of its ids."""

from __future__ import annotations

import os
from pathlib import Path

from experiments import journal
from experiments.catalog.listing import Listing, listing
from experiments.catalog.summary import LEAST, SHORT, Summary, summary_of
from experiments.errors import InputError

_FEW = 5


def find(reference: str, outputs: Path) -> Summary:
    """Return the run or sweep that a reference names.

    Args:
        reference: its folder, or the beginning of its id, of its identity or of an MLflow run id.
        outputs: the folder of all runs.

    Raises:
        InputError: there is none, there are several, or it cannot be read.
    """
    folder = Path(reference)
    if reference and folder.is_dir():
        return _in_folder(folder, reference)
    if os.sep in reference:
        raise InputError(f"{reference}: there is no such folder; `experiments ls` lists the runs")
    known = listing(outputs)
    found = [each for each in known.all if each.is_named(reference)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise _unknown(reference, known)
    shown = ", ".join(f"{each.short} ({each.name}, {_begun(each)})" for each in found[-_FEW:])
    more = f" and {len(found) - _FEW} more" if len(found) > _FEW else ""
    raise InputError(
        f"{reference}: is the beginning of {len(found)} ids: {shown}{more}; give more characters, "
        "or the folder"
    )


def find_run(reference: str, outputs: Path) -> Summary:
    """Return the run that a reference names, as `find`.

    Raises:
        InputError: as `find`, or it names a sweep.
    """
    found = find(reference, outputs)
    if found.is_sweep:
        raise InputError(
            f"{reference}: is a sweep; name one of its runs, which "
            f"`experiments ls sweep={found.short}` lists"
        )
    return found


def _in_folder(folder: Path, reference: str) -> Summary:
    if not (folder / journal.NAME).exists():
        raise InputError(
            f"{reference}: holds no run, since there is no {journal.NAME}; `experiments ls` lists "
            "the runs"
        )
    found = summary_of(folder)
    if found is None:
        raise InputError(f"{reference}: no run has begun there; `experiments ls` lists the runs")
    return found


def _unknown(reference: str, known: Listing) -> InputError:
    if len(reference) < LEAST:
        return InputError(
            f"{reference or 'RUN'}: is too short for an id; give at least {LEAST} of its "
            "characters, or a folder (`experiments ls` lists the runs)"
        )
    newest = ", ".join(f"{each.id[:SHORT]} ({each.name})" for each in known.all[: -_FEW - 1 : -1])
    there = f"the newest are {newest}" if newest else "there are none yet"
    return InputError(
        f"{reference}: no run in {known.folder} has an id that begins so; {there}; "
        "`experiments ls` lists all"
    )


def _begun(run: Summary) -> str:
    return os.path.relpath(run.folder)
