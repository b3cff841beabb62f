"""The list of all runs below a folder, remembered between commands.

Most journals never change again. So `.catalog.json` in the folder keeps the summary of each journal
with its size and time, and only changed journals are read. The file may be deleted at any time.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from experiments import journal
from experiments.catalog.summary import Damaged, Summary, summary_of
from experiments.errors import InputError, RunError, unreadable
from experiments.files.safe_writes import write_atomically
from experiments.sweep.folders import JOBS
from experiments.tracking import STATE

_CACHE, _FORM = ".catalog.json", 1
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

    def jobs_of(self, sweep: Summary) -> list[Summary]:
        """Return the runs that are jobs of a sweep, those begun first at the start."""
        return [each for each in self.runs if sweep.id in each.sweeps]


def listing(outputs: Path) -> Listing:
    """Return all runs and sweeps below a folder.

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
    try:
        for folder in journal.folders(outputs):
            place = os.path.relpath(folder, outputs)
            signature = _signature(folder)
            kept = before.get(place)
            if kept is None or kept[0] != signature:
                kept = [signature, *_read(folder)]
            now[place] = kept
            if kept[2]:
                damaged.append(Damaged(folder, kept[2]))
            elif kept[1]:
                found.append(Summary.of_data(folder, kept[1]).now())
    except OSError as error:
        raise unreadable(error, Path(error.filename or outputs)) from error
    if now != before:
        # Without the file, in a folder of somebody else's, each command reads all journals.
        with contextlib.suppress(InputError, RunError):
            content = {"form": _FORM, "runs": now}
            write_atomically(outputs / _CACHE, json.dumps(content).encode())
    found = _with_jobs_elsewhere(found)
    return Listing(outputs, sorted(found, key=lambda each: each.begun), damaged)


def _with_jobs_elsewhere(found: Sequence[Summary]) -> list[Summary]:
    """Add to each run the sweeps whose tables name it; an untracked run does not know them.

    A table has paths as seen from the folder of the command.
    """
    sweeps: dict[Path, list[str]] = {}
    for sweep in found:
        if sweep.is_sweep and (sweep.folder / JOBS).exists():
            with (sweep.folder / JOBS).open(newline="") as file:
                for row in csv.DictReader(file):
                    sweeps.setdefault(Path(row["folder"]).absolute(), []).append(sweep.id)
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
        return dict(content["runs"]) if content["form"] == _FORM else {}
    except (OSError, ValueError, LookupError, TypeError):
        return {}  # none yet, or damaged: it is made anew
