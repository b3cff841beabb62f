"""The jobs of a sweep on its page: all of them, failures, times, and commands to repeat them."""

from __future__ import annotations

import os
import statistics
from collections.abc import Sequence
from typing import Any

from experiments.catalog.described import command_of
from experiments.catalog.groups import Grouping
from experiments.catalog.metrics import keys_of
from experiments.catalog.summary import Summary
from experiments.catalog.texts import as_duration, as_number
from experiments.report.machine import machine_of
from experiments.report.sweep_jobs import SweepJob, last_lines
from experiments.sweep.failures import in_ranges


def table_of(jobs: Sequence[SweepJob], varied: Sequence[str]) -> dict[str, Any]:
    """Return the titles and the rows of the table of all jobs.

    Args:
        jobs: the jobs.
        varied: the keys that vary between them.
    """
    found = [job.run.metrics if job.run else {} for job in jobs]
    ranking = keys_of(job.run.ranked_by for job in jobs if job.run)
    others = sorted({key for each in found for key in each if key.startswith(("val_", "test_"))})
    metrics = [
        key for key in dict.fromkeys([*ranking, *others]) if any(key in each for each in found)
    ]
    rows = [
        [
            *("" if job.number is None else str(job.number), job.state),
            *(job.values.get(key, "") for key in varied),
            *(as_number(each.get(key)) for key in metrics),
            *(as_duration(job.run.seconds) if job.run else "", os.path.relpath(job.folder)),
        ]
        for job, each in zip(jobs, found, strict=True)
    ]
    return {"titles": ["job", "state", *varied, *metrics, "training", "folder"], "rows": rows}


def failures_of(jobs: Sequence[SweepJob]) -> list[dict[str, Any]]:
    """Return unfinished and damaged jobs by their reason, with the last lines of a log of each."""
    groups: dict[str, list[SweepJob]] = {}
    for job in jobs:
        if not job.finished:
            groups.setdefault(job.why, []).append(job)
    return [
        {
            "reason": reason,
            "jobs": _in_words(group),
            "is_damaged": group[0].is_damaged,
            "lines": next((lines for job in group if (lines := last_lines(job.folder))), []),
        }
        for reason, group in groups.items()
    ]


def _in_words(jobs: Sequence[SweepJob]) -> str:
    numbers = sorted(job.number for job in jobs if job.number is not None)
    unknown = len(jobs) - len(numbers)
    told = [in_ranges(numbers)] if numbers else []
    return " and ".join([*told, *([f"{unknown} without a number"] if unknown else [])])


def time_of(sweep: Summary, jobs: Sequence[SweepJob]) -> dict[str, str]:
    """Return facts about the time that a sweep took; none if nothing was trained."""
    trained = [(job, job.run) for job in jobs if job.run and job.run.seconds]
    if not trained:
        return {}
    seconds = [run.seconds for _, run in trained]
    slowest, longest = max(trained, key=lambda pair: pair[1].seconds)
    told = {"training, all jobs": as_duration(sum(seconds))}
    if sweep.status is not None:
        told["from begin to end"] = as_duration((sweep.changed - sweep.begun) / 1000)
    told["a job, median"] = as_duration(statistics.median(seconds))
    told["the slowest job"] = f"{as_duration(longest.seconds)} ({slowest.name})"
    return {**told, **machine_of(trained[0][0].folder, trained[0][1])}


def commands_of(
    sweep: Summary, grouping: Grouping | None, jobs: Sequence[SweepJob]
) -> list[tuple[str, str]]:
    """Return commands with titles: of the sweep, of its best run and of unfinished jobs."""
    found = [("The sweep; finished jobs are not trained again", sweep.tags["sweep.command"])]
    if grouping and grouping.compared:
        best = grouping.compared[0]
        measure, numbers = grouping.measure, best.numbers
        run = best.runs[max(numbers, key=lambda block: measure.sign * numbers[block])]
        if measure.images == "test":
            run = next(iter(best.runs.values()))  # test images must not choose a run
        value = measure.shown(run.objective)
        found.append((f"A run of the best setting ({value})", command_of(run) or ""))
    failed = [job for job in jobs if not job.finished and job.run and job.state != "running"]
    for job in failed[:3]:
        if job.run:
            label = "A job" if job.number is None else f"Job {job.number}"
            found.append((f"{label}, not finished", command_of(job.run) or ""))
    return [(title, text) for title, text in found if text]
