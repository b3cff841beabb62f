"""The way in which a run computes its gradients."""

from __future__ import annotations

import functools
from collections.abc import Callable

from experiments.config import RunConfig
from experiments.data.batches import first_batch
from experiments.randomness import derive, seed_in_use
from experiments.run.build import Parts
from experiments.training.averaged import Averaged
from experiments.training.chain_gradients import chain_gradients
from experiments.training.gradients import Autograd, Gradients, ScaledAutograd
from experiments.training.marks import NO_MARKS, Marks
from experiments.training.position import Position
from experiments.training.sharded import Sharded
from experiments.training.shared_batches import Buffers, Shards


def gradients_of(
    config: RunConfig, parts: Parts, position: Callable[[], Position], marks: Marks = NO_MARKS
) -> Gradients:
    """Return the gradients that a configuration asks for.

    Args:
        config: the run's configuration.
        parts: the run's objects.
        position: returns the run's present position.
        marks: marks the phases of each step for a profiler.
    """
    shards, team, precision = config.trainer.shards, parts.team, config.trainer.precision

    def seed(shard: int) -> None:
        here = position()
        number = derive(config.seed, "shard", here.epoch, here.batches, shard)
        seed_in_use(number, parts.device)

    buffers = Buffers(parts.model, parts.task)
    if config.trainer.strategy == "ddp" and team.size > 1:
        cut = Shards(team.size, team, seed, buffers)
        autograd = functools.partial(Autograd, precision=precision, marks=marks)
        return Averaged(autograd, parts.model, parts.task, cut, team)
    inner = _on_one_process(config, parts, marks)
    if shards == 1:
        return inner
    return Sharded(inner, parts.model, Shards(shards, team, seed, buffers), team)


def _on_one_process(config: RunConfig, parts: Parts, marks: Marks) -> Gradients:
    trainer, train = config.trainer, parts.splits.train
    if trainer.precision == "fp16-mixed":
        return ScaledAutograd(parts.model, parts.task, parts.optimizer, parts.device, marks)
    autograd = Autograd(parts.model, parts.task, trainer.precision, marks)
    if trainer.precision != "float32" or trainer.compile is not None:
        return autograd
    return chain_gradients(autograd, *first_batch(train, config.data.batch_size)) or autograd
