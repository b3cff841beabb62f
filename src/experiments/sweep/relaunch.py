"""Launching of jobs until each has an outcome, even if the launcher loses processes."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher

from experiments.errors import RunError
from experiments.registry.identities import look_up
from experiments.sweep.jobs import Job
from experiments.sweep.outcomes import Outcome, Outcomes

_log = logging.getLogger(__name__)
_ATTEMPTS = 3  # to launch a job that a dying process takes down
_LOOK_SECONDS = 1.0
_TRY_SECONDS = 15.0


def run_jobs(jobs: Sequence[Job], launcher: Launcher, outcomes: Outcomes, sweep: Path) -> None:
    """Run jobs until each has an outcome; jobs that another process trains come last.

    A launcher may lose a process or a machine, and with it jobs that ran there or came next. Such a
    job is launched again and its run is resumed. A job that is lost three times has failed.

    Raises:
        RunError: the launcher cannot launch any job.
    """
    queue = [job for job in jobs if job.kind != "in use"]
    elsewhere = [job for job in jobs if job.kind == "in use"]
    lost: Counter[int] = Counter()
    while queue or elsewhere:
        if not queue:
            queue = _wait_for_one(elsewhere, sweep)
            let_go = {job.number for job in queue}
            elsewhere = [job for job in elsewhere if job.number not in let_go]
        _launch(queue, launcher, outcomes, sweep)
        left: list[Job] = []
        for job in queue:
            outcome = outcomes.read(job.number)
            if outcome is None or outcome.state in {"running", "interrupted"}:
                lost[job.number] += 1
                reason = f"it was stopped, or its process died, {lost[job.number]} times"
                if lost[job.number] < _ATTEMPTS:
                    left.append(job)
                else:
                    outcomes.write(Outcome(job.number, "failed", reason))
            elif outcome.state == "in use":
                elsewhere.append(job)
        queue = left


def _launch(jobs: Sequence[Job], launcher: Launcher, outcomes: Outcomes, sweep: Path) -> None:
    before = {job.number: outcomes.read(job.number) for job in jobs}
    returns: Sequence[JobReturn] = []
    try:
        returns = launcher.launch([job.launched(sweep) for job in jobs], initial_job_idx=0)
    except Exception as error:
        if all(outcomes.read(job.number) == before[job.number] for job in jobs):
            raise RunError(
                f"the launcher cannot launch ({type(error).__name__}: {error}); mend that and "
                "repeat the command, which resumes the sweep"
            ) from error
        _log.warning("The launcher lost a process (%s); launching its jobs again", error)
    for job, returned in zip(jobs, returns, strict=False):
        if returned.status == JobStatus.FAILED and outcomes.read(job.number) == before[job.number]:
            raised = returned._return_value
            outcomes.write(Outcome(job.number, "failed", f"{type(raised).__name__}: {raised}"))


def _wait_for_one(jobs: Sequence[Job], sweep: Path) -> list[Job]:
    """Wait until another process has let go of a job; return all such jobs."""
    while True:
        time.sleep(_LOOK_SECONDS)
        found = [look_up(Path(job.config.outputs), job.identity, job.folder(sweep)) for job in jobs]
        if all(run is None for run in found):  # on other machines, whose state only a launch shows
            time.sleep(_TRY_SECONDS)
            return list(jobs)
        ended = [job for job, run in zip(jobs, found, strict=True) if run and run.state != "alive"]
        if ended:
            return ended
