"""The plan of a sweep in lines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from experiments.composition.hydra_config import workers
from experiments.sweep.estimate import seconds_of_training
from experiments.sweep.jobs import Plan
from experiments.sweep.launchers import LauncherFacts
from experiments.sweep.view import duration

_SCREEN = 20  # lines; the counts above more of them would be out of sight


def say(*lines: str) -> None:
    """Print lines as they are, however long."""
    console = Console(soft_wrap=True, highlight=False, markup=False)
    for line in lines:
        console.print(line)


def print_plan(plan: Plan, facts: LauncherFacts, about: Sequence[str]) -> None:
    """Print a plan; with `sweep.plan_only` also its jobs, and the counts again below many of them.

    Args:
        plan: the plan.
        facts: the facts about its launcher.
        about: lines about its GPUs.
    """
    settings = plan.jobs[0].config
    seconds, time_needed = seconds_of_training(plan, Path(settings.outputs)), ""
    processes = facts.processes
    if seconds is not None:
        time_needed = f"; about {duration(max(1, seconds / max(1, processes or 1)))}"
    counts = f"{plan}{time_needed}"
    say(counts)
    threads = settings.trainer.threads
    if processes == 1 and not facts.in_this_process and workers(threads) < workers(1):
        say(
            f"  One process of {threads} threads at a time; with trainer.threads=1 there is room "
            f"for {workers(1)}"
        )
    say(*about)
    known = plan.of("finished", "duplicate")
    if unprofiled := sum(job.config.trainer.profile is not None for job in known):
        say(f"  {unprofiled} jobs ask for trainer.profile, are not trained, and so not profiled")
    for job in plan.of("in use"):
        if job.earlier:
            who = f"process {job.earlier.pid} on {job.earlier.host}"
            say(f"  job {job.number} ({job.name}) is trained by {who}, and comes last")
    for job in plan.of("duplicate"):
        say(f"  job {job.number} ({job.name}) is job {job.twin} again, and trained once")
    if settings.sweep.plan_only:
        say(*(f"  job {job.number}: {job.task}, {job.name}" for job in plan.jobs))
        if len(plan.jobs) > _SCREEN:
            say(f"{counts}; nothing was trained")
