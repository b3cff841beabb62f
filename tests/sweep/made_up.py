"""The results of sweeps that were never trained."""

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


def _result(
    number: int, varied: tuple[str, ...], seed: int, value: float | None, *, split: bool
) -> JobResult:
    config = SimpleNamespace(seed=seed, data=SimpleNamespace(validation_size=100 if split else 0))
    folder = Path("outputs", str(number))
    job = Job(
        number=number,
        overrides=varied,
        config=cast("RunConfig", config),
        identity=f"{number}",
        source="",
        knows_device=True,
        kind="new",
        earlier=None,
        subdir=str(number),
        log="train.log",
        twin=None,
        varied=varied,
    )
    if value is None:
        return JobResult(job, None, Outcome(number, "failed", "MemoryError"))
    metrics = {"test_accuracy": value - 0.01 * split} | ({"val_accuracy": value} if split else {})
    run = Earlier("finished", folder, "", 0, metrics, f"run{number}", math.isnan(value))
    return JobResult(job, run, None)
