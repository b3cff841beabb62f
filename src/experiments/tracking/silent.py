"""A recorder that writes nothing, for a process that trains with others and is not the first."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments.journal import History, Journal
from experiments.journal.events import Place
from experiments.registry.objective import Objective
from experiments.tracking.recorder import Recorder
from experiments.tracking.repeats import Repeats


class _NoJournal(Journal):
    """A journal that forgets everything."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.place = folder, Place(0, "")

    def write(self, event: str, **fields: Any) -> None:
        """Do nothing."""

    def sync(self) -> None:
        """Do nothing."""


class SilentRecorder(Recorder):
    """Keeps the reports of this process in memory; rank 0 records the same ones."""

    def __init__(self, folder: Path, ranked_by: Objective) -> None:
        super().__init__(_NoJournal(folder), History(folder), None, ranked_by)

    def restore(self, state: Mapping[str, Any], place: Place) -> None:
        """Go on after a checkpoint, without the journal that rank 0 reads."""
        del place
        with self._lock:
            self._for_epoch = {str(k): float(v) for k, v in state["for_epoch"].items()}
            self._by_step |= set(state["by_step"])
            self._repeats = Repeats()
