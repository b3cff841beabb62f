"""The way in which a run computes its gradients."""

from __future__ import annotations

from experiments.config import RunConfig
from experiments.run.build import Parts
from experiments.training.gradients import Autograd, Gradients, ScaledAutograd
from experiments.training.marks import NO_MARKS, Marks


def gradients_of(config: RunConfig, parts: Parts, marks: Marks = NO_MARKS) -> Gradients:
    """Return the gradients that a configuration asks for.

    Args:
        config: the run's configuration.
        parts: the run's objects.
        marks: marks the phases of each step for a profiler.
    """
    precision = config.trainer.precision
    if precision == "fp16-mixed":
        return ScaledAutograd(parts.model, parts.task, parts.optimizer, parts.device, marks)
    return Autograd(parts.model, parts.task, precision, marks)
