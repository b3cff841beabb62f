"""Claims: an identity belongs to one run, and a run to one process at a time.

The rules, by the state of the identity's earlier run:

- finished: the run is reported and nothing is trained, unless `force=true`;
- dead, so neither alive nor finished: it is resumed, unless `force=true` begins anew;
- alive: the command is refused, naming the run's host and process;
- no earlier run: a new one begins.

The index, `outputs/.identities`, has a file for each identity, which names the run's folder. A run
is alive while its journal is locked. `experiments.tracking` looks up runs of other machines.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from experiments import journal
from experiments.errors import InputError, unreadable
from experiments.files.locks import locked
from experiments.files.safe_writes import make_folder, write_atomically
from experiments.files.sealed_lines import seal, unseal
from experiments.journal import InUseError, Journal
from experiments.journal.events import damaged
from experiments.registry.earlier import MEASURES, WARNING, Earlier, State
from experiments.registry.integrity import refuse_checkpoints_of, refuse_remains
from experiments.registry.objective import Objective

INDEX = ".identities"
"""the folder with a file for each identity, inside the folder of all runs"""


def look_up(outputs: Path, identity: str, folder: Path) -> Earlier | None:
    """Return the identity's run on this file system: in the indexed folder, or in `folder`.

    Raises:
        InputError: the index or the run's journal is damaged.
    """
    entry = outputs / INDEX / identity
    try:
        known, whose = _noted(entry, outputs) if entry.exists() else (folder, identity)
        if (known, whose) != (folder, identity) and (found := _examine(known, whose)):
            return found
        return _examine(folder, identity)
    except OSError as error:
        raise unreadable(error, entry) from error


def newest(outputs: Path, count: int) -> list[Path]:
    """Return the folders of the runs begun or resumed last, at most `count`.

    Runs whose entry in the index is damaged, or of version 0.1.0, are left out.
    """
    index = outputs / INDEX
    entries = [path for path in index.glob("*") if not path.name.startswith(".")]
    entries.sort(key=lambda path: path.lstat().st_mtime_ns, reverse=True)
    folders = []
    for path in entries[:count]:
        with contextlib.suppress(InputError):  # a command that needs the run reports it
            folders.append(_noted(path, outputs)[0])
    return folders


def folder_noted(outputs: Path, identity: str) -> Path | None:
    """Return the folder that the index names for an identity; None if it names none.

    A run of version 0.1.0 has an empty identity, and no entry.

    Raises:
        InputError: the entry is damaged.
    """
    entry = outputs / INDEX / identity
    return _noted(entry, outputs)[0].absolute() if identity and entry.exists() else None


def note_folder(outputs: Path, identity: str, folder: Path) -> None:
    """Make the index name a folder for an identity; only with the lock of the index."""
    _enter(outputs, identity, {"folder": _place_of(folder, outputs)})


def _noted(entry: Path, outputs: Path) -> tuple[Path, str]:
    """Return the folder that an entry of the index names, and the identity of the run there.

    Raises:
        InputError: the entry is damaged.
    """
    try:
        told = unseal(entry.read_bytes(), entry.name)
        return outputs / str(told["folder"]), str(told.get("identity", entry.name))
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise InputError(
            f"{os.path.relpath(entry)}: is damaged ({error}); delete it: the run that it names is "
            "then found in its own folder only"
        ) from error


def _examine(folder: Path, identity: str) -> Earlier | None:
    if not (folder / journal.NAME).exists():
        refuse_remains(folder, "is missing")
        return None
    is_open = journal.is_open(folder)
    past = journal.history(folder)
    if not past.start and not is_open:
        refuse_remains(folder, "is empty")
    if past.start and past.start.get("identity") != identity:
        refuse_checkpoints_of(identity, folder)
        return None
    if not past.is_sealed:
        raise damaged(folder, "its lines have no checksums")
    tags = past.start.get("tags", {}) | past.tags
    state: State = "finished" if past.status == "FINISHED" else "dead"
    return Earlier(
        "alive" if is_open else state,
        folder,
        past.host,
        past.pid,
        metrics=past.metrics,
        diverged="diverged" in past.tags,
        warning=past.tags.get(WARNING, ""),
        ranked_by=Objective.of_tags(tags),
        measures=json.loads(tags.get(MEASURES, "{}")),
    )


@contextmanager
def claimed(
    outputs: Path, identity: str, folder: Path, *, earlier: Earlier | None
) -> Iterator[Journal]:
    """Hold an identity while its run is trained in `folder`; yield the open journal.

    Args:
        outputs: the folder of all runs.
        identity: the identity to hold.
        folder: the folder of a new run, or of the run to resume.
        earlier: the result of `look_up`.

    Raises:
        InputError: another process has claimed or changed the run since `look_up`.
    """
    index = outputs / INDEX
    make_folder(index)
    with locked(index / ".lock"):
        now = look_up(outputs, identity, folder)
        if now is not None:
            now.refuse_alive()
        if now != earlier:
            raise InputError(
                "another command has trained this run just now; repeat the command to see it"
            )
        entry = index / identity
        before = entry.read_bytes() if entry.exists() else None
        # Before there is a journal: a process killed in between must leave no run unknown.
        note_folder(outputs, identity, folder)
        try:
            opened = Journal(folder)
        except BaseException as error:
            if before is None:
                entry.unlink()
            else:
                write_atomically(entry, before)
            if isinstance(error, InUseError):
                said = f"hydra.run.dir={folder}: another run is writing there"
                raise InputError(said) from error
            raise
    with opened:
        yield opened


def note_planned(outputs: Path, planned: str, identity: str, folder: Path) -> None:
    """Note the run of an identity that a sweep planned before the device was known.

    Args:
        outputs: the folder of all runs.
        planned: the identity with the device as it is configured, such as `auto`.
        identity: the identity with the actual device.
        folder: the run's folder.
    """
    index = outputs / INDEX
    make_folder(index)
    with locked(index / ".lock"):
        _enter(outputs, planned, {"folder": _place_of(folder, outputs), "identity": identity})


def _enter(outputs: Path, identity: str, entry: Mapping[str, str]) -> None:
    write_atomically(outputs / INDEX / identity, seal(entry, identity)[0])


def _place_of(folder: Path, outputs: Path) -> str:
    place, base = folder.absolute(), outputs.absolute()
    return str(place.relative_to(base) if place.is_relative_to(base) else place)
