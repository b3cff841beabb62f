"""The jobs of a sweep, as its folder and their journals tell them, even if it was interrupted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from experiments import journal
from experiments.catalog.follow import log_of
from experiments.catalog.job_tables import place_of, rows_of
from experiments.catalog.summary import Summary, summarised
from experiments.composition.run_names import short_names
from experiments.errors import InputError, unreadable
from experiments.redaction.hide import hidden
from experiments.report.points import Curve, curves_of
from experiments.tracking.tag_names import FAILURE

_OUTCOMES = ".jobs/*/*/*.json"
_REASONS = {
    "dead": "its process ended without a word",
    "running": "it is being trained",
    "deleted": "its run was deleted; the command of the sweep trains it again",
}


@dataclass(frozen=True)
class SweepJob:
    """A job of a sweep and its run."""

    number: int | None
    """its number in the sweep; None if its folder does not tell"""
    values: Mapping[str, str]
    """the value of each varied key"""
    folder: Path
    run: Summary | None
    """its run; None if none has begun, or if it cannot be read"""
    curves: Mapping[str, Curve]
    """the curve of each metric of its run"""
    told: str
    """the state that the sweep noted; empty if it noted none"""
    reason: str
    """the reason why it has not finished, or why its run cannot be read"""
    is_damaged: bool = False
    """whether its run has begun, and cannot be read"""

    @property
    def state(self) -> str:
        """The state of its run, or else the state that the sweep noted."""
        if self.is_damaged:
            return "damaged"
        if self.run is None and self.told == "finished":
            return "deleted"
        return self.run.state if self.run else self.told or "not begun"

    @property
    def finished(self) -> bool:
        """Whether its run has a result."""
        return self.run is not None and self.run.status == "FINISHED"

    @property
    def name(self) -> str:
        """Its values in few words, without secrets."""
        told = [f"{key}={value}" for key, value in self.values.items() if value]
        return hidden(" ".join(short_names(told)))

    @property
    def why(self) -> str:
        """The reason why it has not finished, in one line."""
        failure = self.run.tags.get(FAILURE, "") if self.run else ""
        return self.reason or failure or _REASONS.get(self.state, self.state)


def jobs_of(sweep: Summary, varied: tuple[str, ...]) -> list[SweepJob]:
    """Return the jobs of a sweep in the order of their numbers.

    They are the jobs of `jobs.csv`, which exists once a sweep has ended, and those that a later
    turn has begun since.

    Args:
        sweep: the sweep.
        varied: the keys that vary between its jobs.

    Raises:
        InputError: `jobs.csv` cannot be read.
    """
    outcomes = _outcomes(sweep.folder)
    found: dict[Path, SweepJob] = {}
    for row in rows_of(sweep.folder):
        folder = place_of(row["folder"], sweep.folder)
        values = {key: row.get(key, "") for key in varied}
        number: int | None = int(row["job"])
        run, curves, damage = _run_in(folder)
        reason = damage or outcomes.get(number, row).get("reason", "")
        job = SweepJob(number, values, folder, run, curves, row["state"], reason, bool(damage))
        found[folder.resolve()] = job
    closed: list[OSError] = []
    below = list(journal.folders(sweep.folder, closed.append))
    for folder in [*below, *(Path(each.filename) for each in closed)]:
        if folder.resolve() in found or folder == sweep.folder:
            continue
        run, curves, damage = _run_in(folder)
        if not damage and (run is None or sweep.id not in run.sweeps):
            continue
        number = int(folder.name) if folder.name.isdecimal() else None
        outcome = outcomes.get(number, {})
        values = {key: run.params.get(key, "") if run else "" for key in varied}
        reason = damage or outcome.get("reason", "")
        state = outcome.get("state", "")
        job = SweepJob(number, values, folder, run, curves, state, reason, bool(damage))
        found[folder.resolve()] = job
    known = {job.number for job in found.values()}
    for number, outcome in outcomes.items():
        if number not in known:  # it has failed before its run began
            folder = sweep.folder / str(number)
            told = outcome["state"], outcome["reason"]
            found[folder] = SweepJob(number, {}, folder, None, {}, *told)
    return sorted(found.values(), key=lambda job: (job.number is None, job.number, job.folder))


def last_lines(folder: Path, count: int = 8) -> list[str]:
    """Return the last lines of the log in a run's folder; none if there is no log."""
    log = log_of(folder)
    if log is None:
        return []
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        return [str(unreadable(error, log))]
    return [line for line in lines if line.strip()][-count:]


def _run_in(folder: Path) -> tuple[Summary | None, Mapping[str, Curve], str]:
    """Return the run in a folder, if one has begun, with its curves; or why it cannot be read."""
    try:
        past = journal.history(folder)
        return summarised(past), curves_of(past.points), ""
    except InputError as error:
        return None, {}, str(error)


def _outcomes(sweep: Path) -> dict[int | None, dict[str, str]]:
    """Return the outcome of each job in the last turn, by number."""
    found: dict[int | None, dict[str, str]] = {}
    for path in sweep.glob(_OUTCOMES):
        try:
            told = json.loads(path.read_bytes())
            found[int(told["number"])] = {key: str(told[key]) for key in ("state", "reason")}
        except (OSError, ValueError, LookupError, TypeError):
            continue  # half written by a killed process
    return found
