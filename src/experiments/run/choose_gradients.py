"""The way in which a run computes its gradients."""

from __future__ import annotations

from collections.abc import Callable

import torch

from experiments.config import RunConfig
from experiments.data.batches import normalise
from experiments.randomness import derive, seed_all
from experiments.run.build import Parts
from experiments.training.averaged import Averaged
from experiments.training.chain_gradients import chain_gradients
from experiments.training.gradients import Autograd, Gradients
from experiments.training.position import Position
from experiments.training.sharded import Sharded
from experiments.training.shared_batches import Buffers, Shards


def gradients_of(config: RunConfig, parts: Parts, position: Callable[[], Position]) -> Gradients:
    """Return the gradients that a configuration asks for.

    Args:
        config: the run's configuration.
        parts: the run's objects.
        position: returns the run's present position.
    """
    return _shared(_on_one_process(config, parts), config, parts, position)


def _on_one_process(config: RunConfig, parts: Parts) -> Gradients:
    train = parts.splits.train
    few = torch.arange(min(config.data.batch_size, len(train)), device=parts.device)
    images, labels = train.at(few)
    chain = chain_gradients(parts.model, parts.task, normalise(images), labels)
    return chain or Autograd(parts.model, parts.task)


def _shared(
    inner: Gradients, config: RunConfig, parts: Parts, position: Callable[[], Position]
) -> Gradients:
    """Return gradients that the processes of a run compute together."""
    shards, team = config.trainer.shards, parts.team

    def seed(shard: int) -> None:
        here = position()
        seed_all(derive(config.seed, "shard", here.epoch, here.batches, shard))

    buffers = Buffers(parts.model, parts.task.loss)
    if config.trainer.strategy == "ddp" and team.size > 1:
        return Averaged(parts.model, parts.task, Shards(team.size, team, seed, buffers), team)
    if shards == 1:
        return inner
    return Sharded(inner, parts.model, Shards(shards, team, seed, buffers), team)
