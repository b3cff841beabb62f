"""The list of all runs below a folder, remembered between commands.

Most journals never change again. So `.catalog.json` in the folder keeps the summary of each journal
with its size and time, and only changed journals are read. The file may be deleted at any time.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any

from experiments import journal
from experiments.catalog.job_tables import place_of, rows_of
from experiments.catalog.summary import Damaged, Summary, summary_of
from experiments.errors import InputError, RunError, unreadable
from experiments.files.locks import locked
from experiments.files.safe_writes import write_atomically
from experiments.registry.integrity import refuse_remains
from experiments.tracking import STATE

REPRODUCED = "reproduced"
"""the folder, below that of all runs, of runs that were trained again"""
_LEFT_OUT = frozenset({REPRODUCED, "debug"})  # the second is that of conf/trainer/debug.yaml
_CACHE, _LOCK = ".catalog.json", ".catalog.lock"
_FORM, _FIELDS = 1, 3  # of the file, and of each entry
Signature = list[int]


@dataclass(frozen=True)
class Listing:
    """All runs and sweeps below a folder."""

    folder: Path
    all: Sequence[Summary]
    """runs and sweeps, those begun first at the start"""
    damaged: Sequence[Damaged]

    @property
    def runs(self) -> list[Summary]:
        """The runs, those begun first at the start."""
        return [each for each in self.all if not each.is_sweep]

    @property
    def sweeps(self) -> list[Summary]:
        """The sweeps, those begun first at the start."""
        return [each for each in self.all if each.is_sweep]


def listing(outputs: Path) -> Listing:
    """Return all runs and sweeps below a folder, except those reproduced or of `trainer=debug`.

    Raises:
        InputError: there is no such folder, or it cannot be read.
    """
    if not outputs.is_dir():
        raise InputError(
            f"{outputs}: there is no such folder; name the folder of the runs with --outputs, or "
            "train a first run with `python train.py`"
        )
    before = _remembered(outputs)
    now: dict[str, list[Any]] = {}
    found: list[Summary] = []
    damaged: list[Damaged] = []

    def skip(error: OSError) -> None:
        folder = Path(error.filename)
        damaged.append(Damaged(folder, str(unreadable(error, folder))))

    for folder in journal.folders(outputs, skip):
        place = os.path.relpath(folder, outputs)
        if PurePath(place).parts[0] in _LEFT_OUT:
            continue
        try:
            signature = _signature(folder)
            kept = before.get(place)
            if kept is None or kept[0] != signature:
                kept = [signature, *_read(folder)]
            if kept[1]:
                found.append(Summary.of_data(folder, kept[1]).now())
        except OSError as error:
            skip(error)
            continue
        now[place] = kept
        if kept[2]:
            damaged.append(Damaged(folder, kept[2]))
    if now != before:
        _remember(outputs, now)
    found = _with_jobs_elsewhere(found, damaged)
    return Listing(outputs, sorted(found, key=lambda each: each.begun), damaged)


def _with_jobs_elsewhere(found: Sequence[Summary], damaged: list[Damaged]) -> list[Summary]:
    """Add to each run the sweeps whose tables name it; an untracked run does not know them."""
    sweeps: dict[Path, list[str]] = {}
    for sweep in found:
        if not sweep.is_sweep:
            continue
        try:
            for row in rows_of(sweep.folder):
                folder = place_of(row["folder"], sweep.folder).absolute()
                sweeps.setdefault(folder, []).append(sweep.id)
        except InputError as error:
            damaged.append(Damaged(sweep.folder, str(error)))
    return [
        replace(run, sweeps=tuple(dict.fromkeys([*run.sweeps, *more])))
        if (more := sweeps.get(run.folder.absolute()))
        else run
        for run in found
    ]


def _read(folder: Path) -> tuple[dict[str, Any] | None, str]:
    """Return a summary as plain data, and the reason why it cannot be read."""
    try:
        summary = summary_of(folder)
        if summary is None and not journal.is_open(folder):
            refuse_remains(folder, "is empty")
    except InputError as error:
        return None, str(error)
    return (None if summary is None else summary.as_data()), ""


def _signature(folder: Path) -> Signature:
    """Return the sizes and times of the files that a summary is made from."""
    signature: Signature = []
    for name in (journal.NAME, STATE):
        try:
            status = (folder / name).stat()
        except FileNotFoundError:
            signature += [0, 0]
        else:
            signature += [status.st_size, status.st_mtime_ns]
    return signature


def _remembered(outputs: Path) -> dict[str, list[Any]]:
    try:
        content = json.loads((outputs / _CACHE).read_bytes())
        runs = content["runs"] if content["form"] == _FORM else {}
        return {place: [*kept] for place, kept in runs.items() if len(kept) == _FIELDS}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}  # none yet, or damaged: it is made anew


def _remember(outputs: Path, runs: Mapping[str, list[Any]]) -> None:
    # Without the file, in a folder of somebody else's, each command reads all journals.
    with contextlib.suppress(InputError, RunError), locked(outputs / _LOCK):
        content = {"form": _FORM, "runs": runs}
        write_atomically(outputs / _CACHE, json.dumps(content).encode())
