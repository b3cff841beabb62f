"""Destinations of runs in MLflow, and the copy of a run at one of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments import journal
from experiments.tracking.sqlite import has_run, sqlite_file
from experiments.tracking.store import same_store


@dataclass(frozen=True)
class Destination:
    """A place in MLflow to which a run is delivered."""

    store: str
    """the store's address, from `address`"""
    experiment: str
    parent: Mapping[str, str] | None = None
    """the sweep above the run, by its journal's `id` and `folder`; None for any sweep or none"""

    def is_met_by(self, other: Destination) -> bool:
        """Return whether a copy at the other destination counts as a copy at this one."""
        there = self.experiment == other.experiment and same_store(other.store, self.store)
        return there and (self.parent is None or self._sweep == other._sweep)

    @property
    def _sweep(self) -> str | None:
        return self.parent["id"] if self.parent else None


@dataclass(frozen=True)
class Wishes:
    """The wishes for a copy, beside the reports of the run."""

    name: str | None = None
    """the run's name; None for the name that it began with"""
    log_model: bool = False
    """whether MLflow gets the model, once the run is finished"""
    register: str | None = None
    """the name in the model registry under which the model gets a version"""
    alias: str | None = None
    """the alias of that version"""
    system_metrics: bool = False
    """whether the load of the machine is recorded during the training"""

    def added_to(self, earlier: Wishes) -> Wishes:
        """Return these and the earlier wishes; the earlier name and the later version count."""
        return Wishes(
            earlier.name or self.name,
            self.log_model or earlier.log_model,
            self.register or earlier.register,
            self.alias if self.register else earlier.alias,
            self.system_metrics,
        )


NO_WISHES = Wishes()


@dataclass(frozen=True)
class Copy:
    """A run at a destination in MLflow."""

    destination: Destination
    run_id: str | None = None
    offset: int = 0
    """the bytes of the journal that are delivered"""
    time: int = 0
    """the time of the last delivered event, in milliseconds since 1970"""
    complete: bool = False
    """whether the run had ended at that event"""
    lost_id: str | None = None
    """its former id, if the store has lost it"""
    experiment_id: str | None = None
    """the id of its experiment; None before it exists, and in notes of version 0.1.0"""
    wishes: Wishes = NO_WISHES
    model_id: str | None = None
    """the id of the logged model"""
    model_problem: str | None = None
    """the reason why there can be no logged model"""
    registered: str | None = None
    """the name in the model registry under which the model has a version"""

    @classmethod
    def read(cls, noted: Mapping[str, Any]) -> Copy:
        """Return a copy from a note.

        Raises:
            TypeError: the note is of another form.
            LookupError: an entry is missing.
        """
        destination = Destination(**noted["destination"])
        wishes = Wishes(**noted.get("wishes", {}))
        return cls(**{**noted, "destination": destination, "wishes": wishes})

    @property
    def lacks_model(self) -> bool:
        """Whether the model is wished for and is not logged, or not registered."""
        if not self.wishes.log_model or self.model_problem is not None:
            return False
        return self.model_id is None or self.wishes.register not in {None, self.registered}

    def is_whole(self, folder: Path) -> bool:
        """Return whether the run has ended and MLflow has all of it, except perhaps the model.

        A sqlite file is asked for the run. A server is not asked.
        """
        if not self.complete or self.offset < (folder / journal.NAME).stat().st_size:
            return False
        database = sqlite_file(self.destination.store)
        return database is None or has_run(database, self.run_id or "")
