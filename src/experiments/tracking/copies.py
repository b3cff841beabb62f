"""Copies: the destinations of a run in MLflow, and the progress of each; the note `mlflow.json`.

The journal is the run itself. MLflow has a copy at each destination that was asked for. A lost note
is made again from the journal, but without the destinations that were asked for after the start.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from experiments import journal
from experiments.files.locks import locked
from experiments.files.safe_writes import write_atomically
from experiments.files.sealed_lines import seal, unseal
from experiments.journal import History
from experiments.tracking.destinations import NO_WISHES, Copy, Destination, Wishes
from experiments.tracking.sqlite import sqlite_address, sqlite_file
from experiments.tracking.store import address, same_store

STATE = "mlflow.json"


class Copies:
    """The copies of one run."""

    def __init__(self, folder: Path, past: History | None = None) -> None:
        """Read the note.

        Args:
            folder: the run's folder.
            past: its history if the caller has read it, in case there is no note.

        Raises:
            InputError: there is no note, and the journal is damaged.
        """
        self.folder = folder.absolute()
        self._last = 0
        self._copies = self._load(past)

    def __iter__(self) -> Iterator[Copy]:
        return iter(self._copies)

    @property
    def last(self) -> Copy | None:
        """The copy that was asked for last."""
        return self._copies[self._last] if self._copies else None

    def in_store(self, store: str) -> list[Copy]:
        """Return the copies in a store, which may have moved with its project."""
        return [copy for copy in self._copies if same_store(copy.destination.store, store)]

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let one process at a time read and change the note."""
        with locked(self.folder / ".mlflow.lock"):
            self._copies = self._load()  # another process may have changed it
            yield

    def ask_for(self, destination: Destination, wishes: Wishes = NO_WISHES) -> Copy:
        """Add a destination unless it is known; return its copy, which becomes `last`."""
        last = self.last
        if (
            last
            and last.destination.store == destination.store
            and destination.is_met_by(last.destination)
            and last.wishes == wishes.added_to(last.wishes)
            and wishes.alias is None
        ):
            return last
        with self.alone():
            return self.add(destination, wishes)

    def add(self, destination: Destination, wishes: Wishes = NO_WISHES) -> Copy:
        """Do the same as `ask_for`, for a caller that is `alone` already."""
        found = next(
            (copy for copy in self._copies if destination.is_met_by(copy.destination)), None
        )
        if found is None:
            copy = Copy(destination, wishes=wishes)
            self._copies.append(copy)
        else:
            copy = replace(
                found,
                destination=replace(found.destination, store=destination.store),
                wishes=wishes.added_to(found.wishes),
                # Another run may have taken the alias since.
                registered=None if wishes.alias else found.registered,
            )
            self._copies = [copy if each is found else each for each in self._copies]
        before, self._last = self.last, self._copies.index(copy)
        if found is None or copy != found or copy != before:
            self._save()
        return copy

    def provide(self, destination: Destination) -> Copy:
        """Add a destination unless it is known; return its copy. `last` stays as it is."""
        with self.alone():
            last, is_first = self._last, not self._copies
            found = [copy for copy in self._copies if destination.is_met_by(copy.destination)]
            copy = found[0] if found else self.add(destination)
            if not (found or is_first):
                self._last = last
                self._save()
            return copy

    def change(self, copy: Copy, **changes: Any) -> Copy:
        """Change the fields of a copy; return the changed copy. Only inside `alone`."""
        changed = replace(copy, **changes)
        self._copies = [changed if each is copy else each for each in self._copies]
        self._save()
        return changed

    def forget(self, destination: Destination) -> bool:
        """Remove a destination if nothing of the run was ever delivered to it."""
        with self.alone():
            left = [
                copy
                for copy in self._copies
                if copy.run_id or not destination.is_met_by(copy.destination)
            ]
            is_known = len(left) < len(self._copies)
            if is_known:
                self._copies, self._last = left, max(0, len(left) - 1)
                self._save()
            return is_known

    def _save(self) -> None:
        copies = [asdict(copy) for copy in self._copies]
        note = {"folder": str(self.folder), "copies": copies, "last": self._last}
        write_atomically(self.folder / STATE, seal(note, STATE)[0])

    def _load(self, past: History | None = None) -> list[Copy]:
        try:
            note = unseal((self.folder / STATE).read_bytes(), STATE)
            copies = [Copy.read(each) for each in note["copies"]]
            before, self._last = Path(note["folder"]), range(len(copies))[note["last"]]
        except (OSError, ValueError, TypeError, LookupError):
            # None yet, or damaged: all is delivered again, to the MLflow run of this journal.
            self._last = 0
            return self._from_journal(past)
        return [replace(copy, destination=self._here(copy.destination, before)) for copy in copies]

    def _from_journal(self, past: History | None) -> list[Copy]:
        past = past or journal.history(self.folder)
        if not past.start or past.store is None:
            return []
        destination = self._begun_at(past.start, past.store)
        return [Copy(self._here(destination, _folder_in(past.start, self.folder)))]

    def add_all(self, store: str) -> list[Copy]:
        """Add destinations in a store that match the known destinations. Only inside `alone`.

        Each has the experiment and sweep of a known one, or of the run's start if none is known.
        """
        begun = journal.history(self.folder).start
        if not begun:
            return []
        known = [copy.destination for copy in self._copies]
        first = self._begun_at(begun, store)
        moved = self._here(first, _folder_in(begun, self.folder))
        wanted = known or [moved]
        return [self.add(replace(each, store=store)) for each in wanted]

    def _begun_at(self, begun: Mapping[str, Any], store: str) -> Destination:
        return Destination(store, begun["experiment"], begun.get("parent"))

    def _here(self, destination: Destination, before: Path) -> Destination:
        """Return a destination with its present paths, if the run's folder has moved since."""
        if before == self.folder:
            return destination
        store, parent = destination.store, destination.parent
        database = sqlite_file(store)
        if database is not None:
            store = sqlite_address(self._moved(database, before))
        if parent is not None:
            parent = {**parent, "folder": str(self._moved(Path(parent["folder"]), before))}
        return Destination(store, destination.experiment, parent)

    def _moved(self, path: Path, before: Path) -> Path:
        """Return the new place of a path that moved with the run's folder, else the path itself.

        The path moved too if the run's folder has the same names as before below the folder that
        both share. If the old folder still exists, this project is a copy of the old one.
        """
        shared = Path(os.path.commonpath((path, before)))
        names = before.relative_to(shared).parts
        if self.folder.parts[-len(names) :] != names:
            return path
        now = self.folder.parents[len(names) - 1] / path.relative_to(shared)
        return now if now.exists() or before.exists() or not path.exists() else path


def _folder_in(begun: Mapping[str, Any], folder: Path) -> Path:
    """Return the folder in which a run began; `folder` if the journal does not name it."""
    return Path(begun["folder"]) if "folder" in begun else folder


def ask_for(
    folder: Path,
    uri: str,
    experiment: str,
    parent: Mapping[str, str] | None,
    wishes: Wishes = NO_WISHES,
) -> bool:
    """Add a destination in MLflow to a run; return whether nothing is left to do there.

    Args:
        folder: the run's folder.
        uri: the tracking address.
        experiment: the name of the MLflow experiment.
        parent: the sweep above the run, from `parent_of`; None for any sweep or none.
        wishes: the wishes for the copy there.
    """
    copy = Copies(folder).ask_for(Destination(address(uri), experiment, parent), wishes)
    return copy.is_whole(folder) and not copy.lacks_model


def model_problem_of(folder: Path) -> str | None:
    """Return the reason why MLflow cannot have the model of a folder's run; None if it can."""
    last = Copies(folder).last
    return last.model_problem if last else None


def run_id_of(folder: Path) -> str | None:
    """Return the MLflow run id of a folder's run, at the destination that was asked for last."""
    last = Copies(folder).last
    return last.run_id if last else None
