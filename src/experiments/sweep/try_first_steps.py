"""The first training step of each distinct choice of parts, tried before the first job begins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from experiments.config import RunConfig
from experiments.data.datasets import shipped
from experiments.identity.canonical import canonical
from experiments.run.lines import COMPILING
from experiments.sweep.data_and_device import on_the_cpu
from experiments.sweep.jobs import Job, Plan
from experiments.sweep.plan import refuse_errors
from experiments.sweep.planning_progress import telling
from experiments.worker.client import WorkerDiedError, worker

_SIZES = frozenset({"batch_size", "validation_size"})
_TRAINER = frozenset(
    {
        "device",
        "threads",
        "deterministic",
        "precision",
        "compile",
        "epochs",
        "limit_batches",
        "shards",
        "strategy",
    }
)


def try_first_steps(plan: Plan, *, fetch: bool) -> list[str]:
    """Have the worker build and step each distinct choice of the jobs left; return remarks.

    Jobs for other machines are tried on the CPU of this one.

    Args:
        plan: the sweep.
        fetch: whether the worker may fetch missing data for jobs on this machine. Jobs without
            data are not tried; data for jobs on other machines is never fetched.

    Raises:
        InputError: jobs cannot be trained; the message names the first of them.
    """
    choices: dict[str, list[Job]] = {}
    away = 0
    for job in plan.left:
        data_set = shipped(job.config.data.target)
        is_here = data_set is None or data_set.is_fetched(job.config.data.root)
        if (fetch and job.knows_device) or is_here:
            choices.setdefault(_choice(job.config), []).append(job)
        else:
            away += 1
    ordered = [choices[key] for key in sorted(choices)]
    errors: list[str | None] = [None] * len(plan.jobs)
    # All answers are read, so that the worker is free for the next request.
    told: list[str | None] = []
    if any(jobs[0].config.trainer.compile is not None for jobs in ordered):
        print(COMPILING, flush=True)  # noqa: T201  (for the user, like the plan)
    with telling("tried", sum(map(len, ordered))) as advance:
        for error in _tried([jobs[0] for jobs in ordered]):
            advance(len(ordered[len(told)]))
            told.append(error)
    for jobs, error in zip(ordered, told, strict=False):
        for job in jobs:
            errors[job.number] = error
    refuse_errors([job.varied for job in plan.jobs], errors)
    said = []
    if away:
        said.append(f"  {away} jobs could not be tried before: their data is not on this machine")
    if any(not jobs[0].knows_device for jobs in ordered):
        said.append("  The jobs were tried on the CPU of this machine, not on their own devices")
    return said


def _tried(jobs: Sequence[Job]) -> Iterator[str | None]:
    """Yield each job's error, None if it has none; a job that ends the worker is the last."""
    if not jobs:
        return
    configs = [job.config if job.knows_device else on_the_cpu(job.config) for job in jobs]
    try:
        for answer in worker().ask({"try": configs}):
            yield answer["error"]
    except WorkerDiedError as died:
        yield f"when its first step was tried, {died}"


def _choice(config: RunConfig) -> str:
    """Return the values that a first step depends on, the slowest part to build first."""
    values = config.model_dump(
        include={"data", "model", "task", "callbacks", "optimizer", "schedule"}
    )
    left_out = _SIZES if config.trainer.shards == 1 else frozenset()  # they decide the pieces
    data = {key: value for key, value in values["data"].items() if key not in left_out}
    trainer = config.trainer.model_dump(include=set(_TRAINER))
    return canonical([data, values["model"], values, trainer])
