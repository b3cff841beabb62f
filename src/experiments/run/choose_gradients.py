"""The way in which a run computes its gradients."""

from __future__ import annotations

from collections.abc import Callable

from experiments.config import RunConfig
from experiments.randomness import derive, seed_in_use
from experiments.run.build import Parts
from experiments.training.averaged import Averaged
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
    inner = Autograd(parts.model, parts.task)
    return _shared(inner, config, parts, position)


def _shared(
    inner: Gradients, config: RunConfig, parts: Parts, position: Callable[[], Position]
) -> Gradients:
    """Return gradients that the processes of a run compute together."""
    shards, team = config.trainer.shards, parts.team

    def seed(shard: int) -> None:
        here = position()
        number = derive(config.seed, "shard", here.epoch, here.batches, shard)
        seed_in_use(number, parts.device)

    buffers = Buffers(parts.model, parts.task.loss)
    if config.trainer.strategy == "ddp" and team.size > 1:
        cut = Shards(team.size, team, seed, buffers)
        return Averaged(Autograd, parts.model, parts.task, cut, team)
    if shards == 1:
        return inner
    return Sharded(inner, parts.model, Shards(shards, team, seed, buffers), team)
