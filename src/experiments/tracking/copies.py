"""Copies: the destinations of a run in MLflow, and how far each has come; `mlflow.json`.

The journal is the run; MLflow has a copy wherever one was asked for. The note is made again from
the journal where it is lost, but for destinations that were asked for later.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from experiments import journal
from experiments.files.locks import locked
from experiments.files.safe_writes import write_atomically
from experiments.files.sealed_lines import seal, unseal
from experiments.tracking.sqlite import has_run, sqlite_address, sqlite_file
from experiments.tracking.store import address, same_store

STATE = "mlflow.json"


@dataclass(frozen=True)
class Destination:
    """Where in MLflow a run is to be."""

    store: str
    """an address from `address`"""
    experiment: str
    parent: Mapping[str, str] | None = None
    """the sweep to be under, by its journal's `id` and its `folder`; None for wherever"""

    def is_met_by(self, other: Destination) -> bool:
        """Return whether a copy at another destination is one at this."""
        there = self.experiment == other.experiment and same_store(other.store, self.store)
        return there and (self.parent is None or self._sweep == other._sweep)

    @property
    def _sweep(self) -> str | None:
        return self.parent["id"] if self.parent else None


@dataclass(frozen=True)
class Copy:
    """A run at a destination in MLflow."""

    destination: Destination
    run_id: str | None = None
    offset: int = 0
    """the bytes of the journal that are delivered"""
    time: int = 0
    """when the last event delivered was written, in milliseconds since 1970"""
    complete: bool = False
    """whether the run had ended by then"""
    lost_id: str | None = None
    """the id that it had in a store that has lost it"""

    def is_whole(self, folder: Path) -> bool:
        """Return whether the run has ended and MLflow has all of it, as far as can be told here.

        A sqlite file is asked; what a server was given it is believed to have.
        """
        if not self.complete or self.offset < (folder / journal.NAME).stat().st_size:
            return False
        database = sqlite_file(self.destination.store)
        return database is None or has_run(database, self.run_id or "")


class Copies:
    """The copies of one run."""

    def __init__(self, folder: Path) -> None:
        """Read the note.

        Raises:
            InputError: there is none, and the journal is damaged.
        """
        self.folder = folder.absolute()
        self._last = 0
        self._copies = self._load()

    def __iter__(self) -> Iterator[Copy]:
        return iter(self._copies)

    @property
    def last(self) -> Copy | None:
        """The copy that was asked for last."""
        return self._copies[self._last] if self._copies else None

    def in_store(self, store: str) -> list[Copy]:
        """Return the copies in a store, be it moved with its project."""
        return [copy for copy in self._copies if same_store(copy.destination.store, store)]

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let one process at a time read and change the note."""
        with locked(self.folder / ".mlflow.lock"):
            self._copies = self._load()  # another process may have been here since
            yield

    def ask_for(self, destination: Destination) -> Copy:
        """Note that the run is to be at a destination; return its copy, which is then the last."""
        last = self.last
        store = last and last.destination.store
        if last and store == destination.store and destination.is_met_by(last.destination):
            return last
        with self.alone():
            return self.add(destination)

    def add(self, destination: Destination) -> Copy:
        """Do what `ask_for` does. Only for who is `alone`."""
        found = next(
            (copy for copy in self._copies if destination.is_met_by(copy.destination)), None
        )
        if found is None:
            copy = Copy(destination)
            self._copies.append(copy)
        else:
            copy = replace(found, destination=replace(found.destination, store=destination.store))
            self._copies = [copy if each is found else each for each in self._copies]
        before, self._last = self.last, self._copies.index(copy)
        if found is None or copy != found or copy != before:
            self._save()
        return copy

    def change(self, copy: Copy, **changes: Any) -> Copy:
        """Note how far a copy has come; return it as it is then. Only for who is `alone`."""
        changed = replace(copy, **changes)
        self._copies = [changed if each is copy else each for each in self._copies]
        self._save()
        return changed

    def _save(self) -> None:
        copies = [asdict(copy) for copy in self._copies]
        note = {"folder": str(self.folder), "copies": copies, "last": self._last}
        write_atomically(self.folder / STATE, seal(note, STATE)[0])

    def _load(self) -> list[Copy]:
        try:
            note = unseal((self.folder / STATE).read_bytes(), STATE)
            copies = [
                Copy(**each | {"destination": Destination(**each["destination"])})
                for each in note["copies"]
            ]
            before, self._last = Path(note["folder"]), range(len(copies))[note["last"]]
        except (OSError, ValueError, TypeError, LookupError):
            # None yet, or damaged; the store is told all again, and finds the run by its journal.
            self._last = 0
            return self._from_journal()
        return [replace(copy, destination=self._here(copy.destination, before)) for copy in copies]

    def _from_journal(self) -> list[Copy]:
        past = journal.history(self.folder)
        if not past.start or past.store is None:
            return []
        destination = self._begun_at(past.start, past.store)
        return [Copy(self._here(destination, _folder_in(past.start, self.folder)))]

    def add_all(self, store: str) -> list[Copy]:
        """Note that the run is to be in a store as it is elsewhere. Only for who is `alone`.

        In each experiment and under each sweep, or where it began if it is nowhere yet.
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
        """Return a destination as it is named now, if the folder was another when it was noted."""
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
        """Return where a path is if it has come along with the run's folder, else the path.

        It has if the run is called as before from the folder on that it shares with the path. Where
        the run is still in its old place as well, this one belongs to a copy of the project.
        """
        shared = Path(os.path.commonpath((path, before)))
        names = before.relative_to(shared).parts
        if self.folder.parts[-len(names) :] != names:
            return path
        now = self.folder.parents[len(names) - 1] / path.relative_to(shared)
        return now if now.exists() or before.exists() or not path.exists() else path


def _folder_in(begun: Mapping[str, Any], folder: Path) -> Path:
    """Return the folder that a run was begun in; the one it has where its journal does not say."""
    return Path(begun["folder"]) if "folder" in begun else folder


def ask_for(folder: Path, uri: str, experiment: str, parent: Mapping[str, str] | None) -> bool:
    """Note that a run is to be at a destination in MLflow; return whether all of it is there.

    Args:
        folder: the run's folder.
        uri: the tracking address.
        experiment: the name of the MLflow experiment.
        parent: the sweep to be under, as `parent_of` returns it; None for wherever.
    """
    copies = Copies(folder)
    return copies.ask_for(Destination(address(uri), experiment, parent)).is_whole(folder)


def run_id_of(folder: Path) -> str | None:
    """Return the MLflow run of a folder's run, at the destination that was asked for last."""
    last = Copies(folder).last
    return last.run_id if last else None
