"""The way in which a run computes its gradients."""

from __future__ import annotations

from experiments.config import RunConfig
from experiments.run.build import Parts
from experiments.training.gradients import Autograd, Gradients


def gradients_of(config: RunConfig, parts: Parts) -> Gradients:
    """Return the gradients that a configuration asks for.

    Args:
        config: the run's configuration.
        parts: the run's objects.
    """
    del config
    return Autograd(parts.model, parts.task)
