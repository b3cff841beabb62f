"""The jobs and results of sweeps that were never trained."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import cast

from experiments.config import RunConfig
from experiments.registry.earlier import Earlier
from experiments.registry.objective import ACCURACY, Objective
from experiments.sweep.jobs import Job
from experiments.sweep.outcomes import Outcome
from experiments.sweep.report import JobResult

LOSS = Objective("loss", "minimize")
Values = Mapping[str, Sequence[float | None]]
"""the value of each seed by the overrides of a setting; NaN if it diverged, None if it failed"""


def results(
    values: Values, *, split: Sequence[str] = (), objective: Objective = ACCURACY
) -> list[JobResult]:
    """Return the results of a sweep.

    Args:
        values: of each setting.
        split: the settings with a validation split; their test value is 0.01 lower.
        objective: the objective of all jobs; but a setting `task.objective=loss` has the loss.
    """
    made = []
    for overrides, of_seeds in values.items():
        own = LOSS if "task.objective=loss" in overrides else objective
        for seed, value in enumerate(of_seeds):
            varied = (*overrides.split(), f"seed={seed}")
            made.append(_result(len(made), varied, seed, value, own, split=overrides in split))
    return made


def job(
    number: int,
    *varied: str,
    seed: int = 0,
    epochs: int = 10,
    split: bool = False,
    finished: float | None = None,
    objective: Objective = ACCURACY,
) -> Job:
    """Return a new job, or a finished one with the value of its objective."""
    task = SimpleNamespace(objective=objective.name, direction_of=lambda _: objective.direction)
    config = SimpleNamespace(
        seed=seed,
        task=task,
        data=SimpleNamespace(validation_size=100 if split else 0),
        trainer=SimpleNamespace(epochs=epochs),
    )
    metrics = {} if finished is None else {objective.keys[-1]: finished}
    earlier = Earlier("finished", Path("elsewhere"), "", 0, metrics, ranked_by=objective)
    return Job(
        number=number,
        overrides=varied,
        config=cast("RunConfig", config),
        identity=f"{number}",
        source="",
        measures={},
        knows_device=True,
        kind="finished" if metrics else "new",
        earlier=earlier if metrics else None,
        subdir=str(number),
        log="train.log",
        twin=None,
        varied=varied,
    )


def _result(
    number: int,
    varied: tuple[str, ...],
    seed: int,
    value: float | None,
    objective: Objective,
    *,
    split: bool,
) -> JobResult:
    made = job(number, *varied, seed=seed, split=split, objective=objective)
    if value is None:
        return JobResult(made, None, Outcome(number, "failed", "MemoryError"))
    _, on_validation, on_test = objective.keys
    metrics = {on_test: value - 0.01 * split} | ({on_validation: value} if split else {})
    run = Earlier(
        *("finished", Path("outputs", str(number)), "", 0, metrics, f"run{number}"),
        diverged=math.isnan(value),
        ranked_by=objective,
    )
    return JobResult(made, run, None)
