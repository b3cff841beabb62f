"""Gradients by torch's `DistributedDataParallel`: an all-reduce, faster than shards and only close.

Shapes: B batch, C channels, H and W pixels; N processes.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from experiments.distributed.team import Team
from experiments.errors import RunError
from experiments.tasks import Task
from experiments.training.gradients import Gradients
from experiments.training.shared_batches import Shards


class Averaged(Gradients):
    """Gradients of N parts of a batch, summed while backward runs."""

    def __init__(
        self,
        inner_of: Callable[[nn.Module, Task], Gradients],
        model: nn.Module,
        task: Task,
        shards: Shards,
        team: Team,
    ) -> None:
        """Take the parts.

        Args:
            inner_of: makes the gradients of a part from a module and a task, by autograd, whose
                hooks `DistributedDataParallel` uses.
            model: the model, with the same weights in all processes.
            task: its targets and loss.
            shards: one for each process.
            team: the processes.
        """
        # `Shards` gives the buffers of rank 0 to all processes.
        self._model = team.attempt(
            lambda: DistributedDataParallel(model, forward_sync_buffers=False)
        )
        self._named = dict(model.named_parameters())
        self._trained = {name for name, each in self._named.items() if each.requires_grad}
        self._weight, self._shards, self._team = 1.0, shards, team
        weighted = copy.copy(task)
        # A callback may give the task another loss.
        weighted.loss = lambda outputs, targets: task.loss(outputs, targets) * self._weight
        self._inner = inner_of(self._model, weighted)
        self._losses: list[Tensor] = []

    def add(self, images: Tensor, labels: Tensor, count: int) -> Tensor:
        """Compute the gradients of this process's part; with the last batch they are summed.

        Raises:
            RunError: a parameter has no gradient here, or was frozen or freed in the training.
        """
        self._check_trained()
        is_last = len(self._losses) + 1 == count
        self._losses.append(torch.zeros((), device=labels.device))

        def step(shard: int) -> None:
            of_images, of_labels = (
                torch.tensor_split(each, self._shards.count)[shard] for each in (images, labels)
            )
            share = len(of_labels) / len(labels)
            if not share:  # fewer examples than processes; all must take part in the sum
                of_images, of_labels = images[:1], labels[:1]
            # The all-reduce returns the mean over the processes.
            self._weight = share * self._team.size / count
            loss = self._inner.add(of_images, of_labels, 1)
            self._inner.complete()
            if is_last:  # before the next exchange, in which the others would wait for this process
                self._check_gradients()
            self._losses[-1].copy_(loss * (count / self._team.size))

        with contextlib.nullcontext() if is_last else self._model.no_sync():
            self._team.attempt(lambda: self._shards.run(step))
        return self._losses[-1]

    @torch.no_grad()
    def complete(self) -> None:
        """Fill the losses of the step, and agree on signals."""
        signal = self._losses[0].new_tensor(self._team.asked)
        told = self._team.gather(torch.stack([signal, *self._losses]))
        self._team.hear(told[:, 0].tolist())
        for loss, parts in zip(self._losses, told[:, 1:].unbind(1), strict=True):
            loss.copy_(parts.sum())
        self._losses = []

    def _check_trained(self) -> None:
        for name, each in self._named.items():
            if each.requires_grad != (name in self._trained):
                change = "freed" if each.requires_grad else "frozen"
                raise RunError(
                    f"trainer.strategy=ddp: {name} was {change} in the training, which "
                    "DistributedDataParallel does not notice; choose trainer.strategy=shards"
                )

    def _check_gradients(self) -> None:
        for name, each in self._named.items():
            if name in self._trained and each.grad is None:
                raise RunError(
                    f"trainer.strategy=ddp: {name} has no gradient, and DistributedDataParallel "
                    "needs one for each parameter in each process; choose trainer.strategy=shards"
                )
