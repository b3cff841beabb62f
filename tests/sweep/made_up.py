"""The jobs and results of sweeps that were never trained."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import cast

from experiments.config import RunConfig
from experiments.registry.earlier import Earlier
from experiments.sweep.jobs import Job
from experiments.sweep.outcomes import Outcome
from experiments.sweep.report import JobResult

Accuracies = Mapping[str, Sequence[float | None]]
"""the accuracy of each seed by the overrides of a setting; NaN if it diverged, None if it failed"""


def results(accuracies: Accuracies, *, split: Sequence[str] = ()) -> list[JobResult]:
    """Return the results of a sweep.

    Args:
        accuracies: of each setting.
        split: the settings with a validation split; their test accuracy is a point lower.
    """
    made = []
    for overrides, values in accuracies.items():
        for seed, value in enumerate(values):
            varied = (*overrides.split(), f"seed={seed}")
            made.append(_result(len(made), varied, seed, value, split=overrides in split))
    return made


def job(
    number: int,
    *varied: str,
    seed: int = 0,
    epochs: int = 10,
    split: bool = False,
    finished: float | None = None,
) -> Job:
    """Return a new job, or a finished one with an accuracy, 0 to 1."""
    config = SimpleNamespace(
        seed=seed,
        data=SimpleNamespace(validation_size=100 if split else 0),
        trainer=SimpleNamespace(epochs=epochs),
    )
    metrics = {} if finished is None else {"test_accuracy": finished}
    return Job(
        number=number,
        overrides=varied,
        config=cast("RunConfig", config),
        identity=f"{number}",
        source="",
        knows_device=True,
        kind="finished" if metrics else "new",
        earlier=Earlier("finished", Path("elsewhere"), "", 0, metrics) if metrics else None,
        subdir=str(number),
        log="train.log",
        twin=None,
        varied=varied,
    )


def _result(
    number: int, varied: tuple[str, ...], seed: int, value: float | None, *, split: bool
) -> JobResult:
    made = job(number, *varied, seed=seed, split=split)
    if value is None:
        return JobResult(made, None, Outcome(number, "failed", "MemoryError"))
    metrics = {"test_accuracy": value - 0.01 * split} | ({"val_accuracy": value} if split else {})
    folder = Path("outputs", str(number))
    run = Earlier("finished", folder, "", 0, metrics, f"run{number}", math.isnan(value))
    return JobResult(made, run, None)
