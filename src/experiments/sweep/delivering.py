"""Taking the jobs' journals to MLflow from the sweep's process, so that no worker loads it."""

from __future__ import annotations

import logging
import os
import platform
from collections.abc import Sequence
from pathlib import Path

from experiments import journal
from experiments.sweep.outcomes import Outcome
from experiments.sweep.plan import Job
from experiments.tracking import is_behind, sender

_log = logging.getLogger(__name__)


class Delivering:
    """Delivers what the jobs on this machine report; those on other machines do it themselves."""

    def __init__(self, jobs: Sequence[Job], sweep: Path) -> None:
        """Begin with the jobs of a plan; finished ones may have ended when nobody could deliver."""
        self._folders = {job.number: job.folder(sweep) for job in jobs if job.config.tracking.uri}
        self._uris = {job.number: job.config.tracking.uri or "" for job in jobs}
        self._running: set[int] = set()
        self._begun: set[int] = set()
        self._sizes: dict[int, int] = {}
        for job in jobs:
            known = job.number in self._folders and self._has_journal(job.number)
            if job.kind == "finished" and known and is_behind(self._folders[job.number]):
                self._begun.add(job.number)
                self._tell(job.number)

    def note(self, outcome: Outcome) -> None:
        """Take in how a job stands."""
        number = outcome.number
        if number not in self._folders or outcome.host != platform.node():
            return
        if outcome.state == "running":
            self._running.add(number)
        elif outcome.state in {"finished", "failed", "interrupted"}:
            self._running.discard(number)
            self._begun.add(number)
            self._tell(number)
            if outcome.state != "finished" and self._has_journal(number):
                # Killed, it could not say so itself.
                sender(self._uris[number]).abandon(self._folders[number])

    def look(self) -> None:
        """Have delivered what the running jobs have reported since the last look."""
        for number in self._running:
            self._tell(number)

    def finish(self) -> None:
        """Wait until all is delivered, or until it is plain that it cannot be."""
        for number in sorted(self._begun):
            if not self._has_journal(number):
                continue
            folder = self._folders[number]
            _, problem = sender(self._uris[number]).wait(folder)
            if problem is not None:
                _log.warning(
                    "MLflow has not taken all of this sweep: %s. Nothing is lost: `experiments "
                    "sync %s` delivers it later",
                    problem,
                    os.path.relpath(folder.parent),
                )
                return

    def _has_journal(self, number: int) -> bool:
        return (self._folders[number] / journal.NAME).exists()

    def _tell(self, number: int) -> None:
        if not self._has_journal(number):
            return
        folder = self._folders[number]
        size = (folder / journal.NAME).stat().st_size
        if size != self._sizes.get(number):
            self._sizes[number] = size
            sender(self._uris[number]).tell(folder)
