"""The unfinished jobs of a sweep: their reasons, a log of each, and commands that repeat them."""

from __future__ import annotations

import itertools
import os
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from experiments.composition.run_names import is_of_sweep
from experiments.sweep.folders import JOBS
from experiments.sweep.report import JobResult

_SHOWN = 10  # reasons, and ranges of numbers


def command(*overrides: str) -> str:
    """Return the command line for some overrides; without -m it has none of a sweep."""
    kept = [text for text in overrides if "-m" in overrides or not is_of_sweep(text)]
    return shlex.join(["python", "train.py", *kept])


def failures(results: Sequence[JobResult], sweep: Path) -> Iterator[str]:
    """Yield lines about the unfinished jobs, one entry for all jobs with the same reason.

    An entry has the numbers of the jobs, the reason, the first log and the command that repeats the
    first job.
    """
    groups = _by_reason(results)
    for reason, group in list(groups.items())[:_SHOWN]:
        numbers = [result.job.number for result in group]
        logs = (result.job.folder(sweep) / result.job.log for result in group)
        log = next((path for path in logs if path.exists()), None)
        yield f"  {in_ranges(numbers)}: {reason}"
        if log is not None:
            yield f"    log:    {os.path.relpath(log)}"
        yield f"    repeat: {command(*group[0].job.overrides)}"
        if len(group) > 1:
            again = "the command of the sweep tries all of them again"
            yield f"    This repeats job {numbers[0]}; {again}"
    if len(groups) > _SHOWN:
        yield f"  {len(groups) - _SHOWN} more reasons are in {os.path.relpath(sweep / JOBS)}"


def reasons(results: Sequence[JobResult]) -> list[str]:
    """Return a line for each reason why jobs are unfinished, with the numbers of the jobs."""
    groups = list(_by_reason(results).items())
    return [
        f"{in_ranges([each.job.number for each in group])}: {reason}"
        for reason, group in groups[:_SHOWN]
    ]


def _by_reason(results: Sequence[JobResult]) -> dict[str, list[JobResult]]:
    groups: dict[str, list[JobResult]] = {}
    for result in results:
        if not (result.finished or result.held_back):
            groups.setdefault(result.reason, []).append(result)
    return groups


def in_ranges(numbers: Sequence[int]) -> str:
    """Return the ascending numbers of jobs as words, such as `jobs 2 to 5 and 9`."""
    told: list[str] = []
    for _, pairs in itertools.groupby(enumerate(numbers), lambda pair: pair[1] - pair[0]):
        together = [number for _, number in pairs]
        is_range = len(together) > 2
        told += [f"{together[0]} to {together[-1]}"] if is_range else map(str, together)
    if len(told) > _SHOWN:
        return f"{len(numbers)} jobs from {numbers[0]} to {numbers[-1]}"
    *most, last = told
    before = f"{', '.join(most)} and " if most else ""
    return f"job{'s' if len(numbers) > 1 else ''} {before}{last}"
