"""The launcher `vectorized`: it sends jobs that can share a stack to one worker together."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from experiments.composition.hydra_config import checked
from experiments.config import RunConfig
from experiments.errors import InputError
from experiments.identity.canonical import canonical
from experiments.run.request import number_of
from experiments.sweep.compose import SweepLoader
from experiments.sweep.launchers import launcher_facts, make_workers
from experiments.sweep.outcomes import Outcomes
from experiments.sweep.task import Task
from experiments.worker.client import WorkerDiedError, worker

# The settings of the trainer that lanes share.
_COMMON = ("device", "threads", "deterministic", "matmul_precision", "limit_batches")


@dataclass(frozen=True)
class _Job:
    """A job to launch, with its checked configuration."""

    number: int
    overrides: Sequence[str]
    config: RunConfig


@dataclass(frozen=True)
class LanesTask(Task):
    """Trains a job and the other lanes of its stack."""

    loader: SweepLoader
    master: DictConfig
    """the sweep's configuration; each job's is composed from it"""

    def _configs(self, config: DictConfig) -> list[DictConfig]:
        (first,) = super()._configs(config)
        others = Outcomes(self.sweep, self.turn).lanes(number_of(first.hydra))
        return [first, *map(self._compose, others)]

    def _compose(self, overrides: Sequence[str]) -> DictConfig:
        """Return a job's configuration, and make its folder, as Hydra does for a launched job."""
        config = self.loader.load_sweep_config(self.master, list(overrides))
        hydra = config.hydra
        with read_write(hydra), open_dict(hydra):
            hydra.job.num = number_of(hydra)
            hydra.job.id = str(hydra.job.num)
            folder = Path(hydra.sweep.dir, str(OmegaConf.select(config, "hydra.sweep.subdir")))
            hydra.runtime.output_dir = str(folder.absolute())
        folder.mkdir(parents=True, exist_ok=True)
        return self._whole(config, hydra)


def launch(
    lanes: int | None,
    *,
    context: HydraContext,
    task: TaskFunction,
    config: DictConfig,
    job_overrides: Sequence[Sequence[str]],
    first: int,
) -> Sequence[JobReturn]:
    """Launch jobs; jobs that can share a stack are launched together as one.

    Args:
        lanes: the largest number of lanes in a stack; None lets `experiments.lanes.limits` choose.
        context: Hydra's context.
        task: the function that Hydra calls for each job.
        config: the sweep's composed configuration.
        job_overrides: the overrides of each job.
        first: the number of the first job in Hydra's own count.

    Returns:
        Hydra's result for each job, in the order of `job_overrides`.
    """
    loader = context.config_loader
    if not isinstance(task, Task) or not isinstance(loader, SweepLoader):
        return make_workers(context, task, config).launch(job_overrides, first)
    jobs = [_job(loader, config, overrides) for overrides in job_overrides]
    processes = max(1, launcher_facts(loader, config).processes or 1)
    chunks = list(_chunks(jobs, lanes, processes=processes))
    known = {each.name: getattr(task, each.name) for each in fields(Task)}
    outcomes = Outcomes(task.sweep, task.turn)
    for chunk in chunks:
        outcomes.keep_lanes(chunk[0].number, [job.overrides for job in chunk[1:]])
    together = LanesTask(**known, loader=loader, master=config)
    workers = make_workers(context, together, config)
    returns = workers.launch([chunk[0].overrides for chunk in chunks], first)
    by_number: dict[int, JobReturn] = {}
    for chunk, returned in zip(chunks, returns, strict=True):
        for job in chunk:
            outcome = outcomes.read(job.number)
            objective = outcome.objective if outcome else math.nan
            by_number[job.number] = replace(
                returned, overrides=job.overrides, _return_value=objective
            )
        by_number[chunk[0].number] = returned
    return [by_number[job.number] for job in jobs]


def _job(loader: SweepLoader, master: DictConfig, overrides: Sequence[str]) -> _Job:
    config = loader.load_sweep_config(master, list(overrides))
    return _Job(number_of(config.hydra), overrides, checked(config))


def _chunks(jobs: Sequence[_Job], lanes: int | None, *, processes: int) -> Iterator[Sequence[_Job]]:
    """Yield the groups of jobs to launch as one; print their sizes and why jobs are alone."""
    groups: dict[str, list[_Job]] = {}
    alone: dict[str, list[_Job]] = {}
    for job in jobs:
        reason = _must_be_alone(job.config)
        if reason is None:
            groups.setdefault(_kind(job.config), []).append(job)
        else:
            alone.setdefault(reason, []).append(job)
    for reason, group in alone.items():
        _say(group, f"alone: {reason}")
        yield from ([job] for job in group)
    for group in groups.values():
        if len(group) == 1:
            _say(group, "alone: no other job has its data, batch size, model and task")
            yield group
            continue
        answer = _examined(group[0].config, lanes)
        if "reason" in answer:
            _say(group, f"alone: {answer['reason']}")
            yield from ([job] for job in group)
            continue
        parts = _parts(group, answer["lanes"], processes=processes)
        sizes = sorted({len(part) for part in parts})
        stacks = "1 stack" if len(parts) == 1 else f"{len(parts)} stacks"
        _say(group, f"{stacks} of {' or '.join(map(str, sizes))} lanes")
        yield from parts


def _examined(config: RunConfig, lanes: int | None) -> dict[str, Any]:
    """Return `{"lanes": number}` for the job's stack; `{"reason": text}` if it must be alone."""
    try:
        (answer,) = worker().ask({"examine": config, "lanes": lanes})
    except WorkerDiedError as died:
        return {"reason": f"to try a step, {died}"}
    return answer


def _must_be_alone(config: RunConfig) -> str | None:
    """Return the setting that a lane cannot have, in words; None if there is none."""
    trainer = config.trainer
    if config.callbacks:
        return f"it has callbacks ({', '.join(config.callbacks)}), which see one run at a time"
    if trainer.gradient_clip_val is not None:
        return "trainer.gradient_clip_val bounds the gradients of one run at a time"
    if trainer.accumulate_grad_batches > 1:
        return "trainer.accumulate_grad_batches keeps the gradients of one run at a time"
    if trainer.shards > 1:
        return "trainer.shards cuts the batches of one run at a time"
    if trainer.precision != "float32":
        return f"trainer.precision={trainer.precision}, and lanes compute in float32"
    if trainer.compile is not None:
        return f"trainer.compile={trainer.compile} compiles the model of one run at a time"
    if trainer.profile is not None:
        return "trainer.profile profiles the steps of one run at a time"
    return None


def _kind(config: RunConfig) -> str:
    """Return the settings that lanes share, as one key."""
    values = config.model_dump(
        include={"data": True, "model": True, "task": True, "trainer": set(_COMMON)}
    )
    return canonical(values)


def _parts(group: Sequence[_Job], most: int, *, processes: int) -> list[Sequence[_Job]]:
    """Split a group into parts of about equal size.

    Jobs with the same seed stay together, because they share batches. There are at least as many
    parts as processes, if each part can have two jobs.
    """
    count = max(-(-len(group) // most), min(processes, len(group) // 2))
    ordered = sorted(group, key=lambda job: (job.config.seed, job.number))
    ends = [round(len(ordered) * part / count) for part in range(count + 1)]
    return [ordered[start:end] for start, end in itertools.pairwise(ends)]


def _say(group: Sequence[_Job], what: str) -> None:
    numbers = sorted(job.number for job in group)
    jobs = f"job {numbers[0]}" if len(group) == 1 else f"{len(group)} jobs from job {numbers[0]} on"
    print(f"{jobs}: {what}", flush=True)  # noqa: T201  (for the user, like the plan)


def check_lanes(lanes: object) -> int | None:
    """Return the launcher's setting `lanes`.

    Raises:
        InputError: it is neither null nor a whole number above 0.
    """
    if lanes is None or (isinstance(lanes, int) and not isinstance(lanes, bool) and lanes >= 1):
        return lanes
    raise InputError(
        f"hydra.launcher.lanes={lanes}: it should be a whole number above 0, or null to leave it "
        "to the model's size"
    )
