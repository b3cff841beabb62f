"""Delivery of the jobs' journals by the sweep's process, so that no worker loads MLflow."""

from __future__ import annotations

import logging
import platform
from collections.abc import Sequence
from pathlib import Path

from experiments import journal
from experiments.errors import InputError, RunError
from experiments.registry.identities import look_up
from experiments.sweep.jobs import Job
from experiments.sweep.outcomes import Outcome
from experiments.sweep.record import given_to_sweep
from experiments.sweep.report import JobResult
from experiments.sweep.settings import Ranking
from experiments.tracking import (
    Wishes,
    ask_for,
    give,
    given,
    parent_of,
    record_again,
    sender,
    what_to_do,
)

_log = logging.getLogger(__name__)
_BEST = "best"  # the alias of a registered model


class Delivering:
    """Delivers the journals of jobs on this machine; jobs on other machines deliver their own."""

    def __init__(self, jobs: Sequence[Job], sweep: Path) -> None:
        """Begin with the jobs of a plan, and nest the finished ones under this sweep as well."""
        self._jobs = {job.number: job for job in jobs if job.config.tracking.uri}
        self._folders = {number: job.folder(sweep) for number, job in self._jobs.items()}
        self._uris = {number: job.config.tracking.uri or "" for number, job in self._jobs.items()}
        self._running: set[int] = set()
        self._begun: set[int] = set()
        self._sizes: dict[int, int] = {}
        self._parent = parent_of(sweep)
        elsewhere = [job for job in jobs if job.earlier and job.earlier.folder is None]
        if count := sum(job.kind == "finished" for job in elsewhere):
            _log.warning(
                "%d finished jobs were trained on another machine; MLflow shows them where that "
                "machine recorded them, and not under this sweep",
                count,
            )
        for number, job in self._jobs.items():
            if job.kind == "finished" and self._has_journal(number) and not self._ask_for(number):
                self._begun.add(number)
                self._tell(number)

    def note(self, outcome: Outcome) -> None:
        """Take in the state of a job."""
        number = outcome.number
        if number not in self._folders or outcome.host != platform.node():
            return
        if outcome.state == "running":
            self._running.add(number)
        elif outcome.state in {"finished", "failed", "interrupted"}:
            self._running.discard(number)
            self._begun.add(number)
            self._find(number)
            self._tell(number)
            if outcome.state != "finished" and self._has_journal(number):
                # A killed job cannot record its own end.
                sender(self._uris[number]).abandon(self._folders[number])

    def look(self) -> None:
        """Have all new reports of the running jobs delivered."""
        for number in self._running:
            self._tell(number)

    def finish(self) -> None:
        """Wait until everything is delivered; warn and return if MLflow does not take it."""
        for number in sorted(self._begun):
            if not self._has_journal(number):
                continue
            folder = self._folders[number]
            _, problem = sender(self._uris[number]).wait(folder)
            if problem is not None:
                outputs = Path(self._jobs[number].config.outputs)
                _log.warning(
                    "MLflow has not taken all of this sweep: %s", what_to_do(problem, outputs)
                )
                return

    def _ask_for(self, number: int) -> bool:
        """Ask for a job's run under this sweep; return whether nothing is left to deliver."""
        job = self._jobs[number]
        tracking = job.config.tracking
        name = job.run_name
        wishes = Wishes(name, system_metrics=tracking.system_metrics)
        place = self._uris[number], tracking.experiment, self._parent
        try:
            give(self._folders[number], given(tracking, name))
            return ask_for(self._folders[number], *place, wishes)
        except (InputError, RunError) as error:
            _log.warning("Job %d is not taken to MLflow under this sweep: %s", number, error)
            return True

    def _find(self, number: int) -> None:
        """Find the folder of a job's run, which another process may have trained elsewhere."""
        job, folder = self._jobs[number], self._folders[number]
        try:
            found = look_up(Path(job.config.outputs), job.identity, folder)
        except InputError as error:  # a job may leave a damaged folder behind
            _log.warning("Job %d is not taken to MLflow: %s", number, error)
            return
        if found is not None and found.folder is not None:
            self._folders[number] = found.folder
            self._ask_for(number)

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


def deliver_best_model(results: Sequence[JobResult], ranking: Ranking, sweep: Path) -> None:
    """Have the model of a sweep's best run logged, and registered as `best`, after the command."""
    best = ranking.representative
    if best is None or best.run is None:
        return
    tracking = best.job.config.tracking
    if tracking.uri is None or not tracking.log_model:
        return
    if best.run.folder is None:
        _log.warning("The best run is on another machine; MLflow does not get its model from here")
        return
    name = tracking.registry_name
    if name and best.run.warning:
        _log.warning(
            "tracking.register=%s: no version, as the best run ended %s", name, best.run.warning
        )
        name = None
    is_whole = all(result.finished for result in results)
    alias = _BEST if name and is_whole else None
    wishes = Wishes(best.job.run_name, log_model=True, register=name, alias=alias)
    try:
        place = best.run.folder, tracking.uri, tracking.experiment, parent_of(sweep)
        if not ask_for(*place, wishes):
            sender(tracking.uri).tell(best.run.folder)
    except (InputError, RunError) as error:
        _log.warning("MLflow does not get the best model: %s", error)


def deliver_again(jobs: Sequence[Job], sweep: Path) -> None:
    """Deliver a finished sweep and its jobs to the MLflow experiment that its settings name."""
    settings = jobs[0].config
    if settings.tracking.uri is not None:
        try:
            give(sweep, given_to_sweep(settings))
        except (InputError, RunError) as error:
            _log.warning("The sweep keeps its name, tags and note: %s", error)
        place = settings.tracking.uri, settings.tracking.experiment
        _, problem = record_again(sweep, *place, None)
        if problem is not None:
            _log.warning("MLflow has not taken this sweep: %s", what_to_do(problem, sweep))
            return
        Delivering(jobs, sweep).finish()
