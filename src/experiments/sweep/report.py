"""The report of a sweep: the outcome of each job, and the table of all jobs."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.composition.run_names import key_of, value_of
from experiments.redaction.hide import hidden, hidden_data
from experiments.registry.earlier import Earlier, Result
from experiments.registry.identities import look_up
from experiments.sweep.jobs import Job, Plan
from experiments.sweep.outcomes import Outcome
from experiments.tracking import run_id_of


@dataclass(frozen=True)
class JobResult:
    """The outcome of a job, with its run."""

    job: Job
    run: Earlier | None
    """its run; None if it has none"""
    outcome: Outcome | None
    """the outcome in this turn; None if it was not begun"""

    @property
    def finished(self) -> bool:
        """Whether its run is finished."""
        if self.outcome is not None and self.outcome.state == "finished":
            return True
        return self.run is not None and self.run.state == "finished"

    @property
    def objective(self) -> float:
        """The value of its objective; NaN if it has none."""
        if self.run is not None and self.run.state == "finished":
            return Result(self.run.metrics, self.run.diverged, self.job.ranked_by).objective
        return self.outcome.objective if self.outcome else math.nan

    @property
    def state(self) -> str:
        """`finished`, or the state in which the sweep left the job."""
        if self.finished:
            return "finished"
        return self.outcome.state if self.outcome else "not begun"

    @property
    def diverged(self) -> bool:
        """Whether its run has finished and diverged."""
        if self.run is not None and self.run.state == "finished":
            return self.run.diverged
        return self.finished and math.isnan(self.objective)

    @property
    def run_id(self) -> str | None:
        """The id of its run in MLflow; None if it is not known."""
        if self.run is None:
            return None
        return (self.run.folder and run_id_of(self.run.folder)) or self.run.run_id

    def folder(self, sweep: Path) -> Path:
        """Return the folder of its run."""
        return (self.run and self.run.folder) or self.job.folder(sweep)

    @property
    def held_back(self) -> bool:
        """Whether it was not begun because another job had failed."""
        return self.outcome is not None and self.outcome.state == "held back"

    @property
    def reason(self) -> str:
        """The reason why it is not finished."""
        return self.outcome.reason if self.outcome and self.outcome.reason else "not begun"


def results_of(plan: Plan, sweep: Path, outcomes: Mapping[int, Outcome]) -> list[JobResult]:
    """Return the outcome of each job, without duplicates."""
    results = []
    for job in plan.jobs:
        if job.twin is not None:
            continue
        found = job.earlier
        if job.kind != "finished":
            found = look_up(Path(job.config.outputs), job.identity, job.folder(sweep))
        results.append(JobResult(job, found, outcomes.get(job.number)))
    return results


def as_csv(results: Sequence[JobResult], sweep: Path) -> str:
    """Return a CSV table with a row for each job.

    Its columns are the number, each varied key with the value as it was typed, the state, the
    metrics, the folder, the id of the MLflow run and the reason why the job has not finished.
    """
    varied = [{key_of(text): value_of(hidden(text)) for text in r.job.varied} for r in results]
    keys = dict.fromkeys(key for values in varied for key in values)
    metrics = sorted({key for result in results if result.run for key in result.run.metrics})
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(["job", *keys, "state", *metrics, "folder", "run_id", "reason"])
    for result, values in zip(results, varied, strict=True):
        measured = result.run.metrics if result.run else {}
        row = [
            *(result.job.number, *(values.get(key, "") for key in keys), result.state),
            *(measured.get(key, "") for key in metrics),
            *(os.path.relpath(result.folder(sweep)), result.run_id or ""),
            "" if result.finished else result.reason,
        ]
        writer.writerow(hidden_data(row))
    return table.getvalue()
