"""The unfinished jobs of a sweep: the reason, the log, and the command that repeats each."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from experiments.sweep.report import JobResult


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
