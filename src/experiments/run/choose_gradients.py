"""The way in which a run computes its gradients."""

from __future__ import annotations

import torch

from experiments.config import RunConfig
from experiments.data.batches import normalise
from experiments.run.build import Parts
from experiments.training.chain_gradients import chain_gradients
from experiments.training.gradients import Autograd, Gradients


def gradients_of(config: RunConfig, parts: Parts) -> Gradients:
    """Return the gradients that a configuration asks for.

    Args:
        config: the run's configuration.
        parts: the run's objects.
    """
    train = parts.splits.train
    few = torch.arange(min(config.data.batch_size, len(train)), device=parts.device)
    images, labels = train.at(few)
    chain = chain_gradients(parts.model, parts.task, normalise(images), labels)
    return chain or Autograd(parts.model, parts.task)
