"""The report of a sweep: the outcome of each job, the ranking, and how to repeat failed jobs."""

from __future__ import annotations

import csv
import io
import math
import os
import shlex
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.redaction.hide import hidden_data
from experiments.registry.earlier import Earlier
from experiments.registry.identities import look_up
from experiments.sweep.jobs import Job, Plan
from experiments.sweep.outcomes import Outcome
from experiments.sweep.view import accuracy

_SHOWN = 10  # settings in the ranking


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
        """The accuracy that ranks it, 0 to 1; NaN if it has none."""
        if self.run is not None:
            return self.run.objective
        return self.outcome.objective if self.outcome else math.nan

    @property
    def state(self) -> str:
        """`finished`, or the state in which the sweep left the job."""
        if self.finished:
            return "finished"
        return self.outcome.state if self.outcome else "not begun"

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


def command(*overrides: str) -> str:
    """Return the command line for some overrides."""
    return shlex.join(["python", "train.py", *overrides])


def failures(results: Sequence[JobResult], sweep: Path) -> Iterator[str]:
    """Yield lines for each unfinished job: the reason, its log and the command that repeats it."""
    for result in results:
        if result.finished or result.held_back:
            continue
        log = result.job.folder(sweep) / result.job.log
        yield f"  job {result.job.number}: {result.reason}"
        if log.exists():
            yield f"    log:    {os.path.relpath(log)}"
        yield f"    repeat: {command(*result.job.overrides)}"


def best(results: Sequence[JobResult]) -> JobResult | None:
    """Return the job with the highest objective, the first if several have it; None without any."""
    ranked = [result for result in results if not math.isnan(result.objective)]
    return max(ranked, key=lambda result: result.objective, default=None)


def ranking(results: Sequence[JobResult]) -> Iterator[str]:
    """Yield lines that rank the settings, each by the mean over its seeds."""
    settings: dict[str, list[JobResult]] = {}
    for result in results:
        if result.finished:
            setting = [text for text in result.job.varied if not text.startswith("seed=")]
            name = " ".join(setting) or "all seeds"
            settings.setdefault(name, []).append(result)
    ranked = [(name, [each.objective for each in group]) for name, group in settings.items()]
    ranked.sort(key=lambda entry: _mean(entry[1]), reverse=True)
    if not ranked:
        return
    measure = _measure(results)
    yield f"The best by {measure}:"
    for place, (name, values) in enumerate(ranked[:_SHOWN], 1):
        yield f"  {place:2}. {_figure(values):24} {name}"
    if len(ranked) > _SHOWN:
        yield f"  and {len(ranked) - _SHOWN} more settings"
    if measure == "test accuracy" and len(ranked) > 1:
        yield (
            "  Ranked by the test images, so the best figure is too high; with "
            "data.validation_size=5000 the validation images rank"
        )


def _mean(values: Sequence[float]) -> float:
    """Return the mean; -1, which ranks last, if any run diverged."""
    return -1.0 if any(math.isnan(value) for value in values) else statistics.mean(values)


def _figure(values: Sequence[float]) -> str:
    diverged = sum(math.isnan(value) for value in values)
    if diverged:
        return f"{diverged} of {len(values)} diverged"
    if len(values) == 1:
        return accuracy(values[0])
    mean, deviation = statistics.mean(values), statistics.stdev(values)
    return f"{100 * mean:.2f} ± {100 * deviation:.2f} % (n={len(values)})"


def _measure(results: Sequence[JobResult]) -> str:
    held_out = any(result.job.config.data.validation_size for result in results)
    return "validation accuracy" if held_out else "test accuracy"


def as_csv(results: Sequence[JobResult], sweep: Path) -> str:
    """Return a CSV table of the jobs: number, state, overrides, metrics, folder and reason."""
    keys = sorted({key for result in results if result.run for key in result.run.metrics})
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(["job", "state", "overrides", *keys, "folder", "reason"])
    for result in results:
        metrics = result.run.metrics if result.run else {}
        values = [metrics.get(key, "") for key in keys]
        found = result.run and result.run.folder
        folder = os.path.relpath(found or result.job.folder(sweep))
        reason = "" if result.finished else result.reason
        row = [result.job.number, result.state, result.job.name, *values, folder, reason]
        writer.writerow(hidden_data(row))
    return table.getvalue()
