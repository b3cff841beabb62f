"""Gradients of shards of a batch, on any number of processes with the same bits.

A batch of B examples is cut into S shards, whatever the number N of processes. Each shard's
gradient is computed on its own, with the weight b/B of its b examples. The gradients are summed in
the order of the shards. So the sum is the gradient of the mean over the batch, and its bits do not
depend on N: an all-reduce would add in another order for each N.

Each process computes S/N consecutive shards. It then sends each other process a part of all their
elements, sums the parts that it gets, and sends its sums to all. With S = N this is the amount of
data that a ring all-reduce sends. Shapes: B batch, P elements of all gradients.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from experiments.distributed.team import Team
from experiments.errors import RunError
from experiments.training.gradients import Gradients
from experiments.training.memory_layout import like
from experiments.training.shared_batches import Shards


class Sharded(Gradients):
    """Gradients of the shards of a batch, summed in their order."""

    def __init__(self, inner: Gradients, model: nn.Module, shards: Shards, team: Team) -> None:
        """Take the parts.

        Args:
            inner: computes the gradients of a shard.
            model: the model, whose parameters get the sums.
            shards: the shards of this process.
            team: the processes.
        """
        self._inner, self._shards, self._team = inner, shards, team
        self._parameters = list(model.parameters())  # a callback may free a frozen one later
        types = [torch.float32, *(each.dtype for each in self._parameters)]
        kind = types[0]
        for each in types:
            kind = torch.promote_types(kind, each)
        size = sum(each.numel() for each in self._parameters)
        width = -(-size // team.size) * team.size
        device = self._parameters[0].device if self._parameters else torch.device("cpu")
        self._rows = torch.zeros(len(shards.own), width, dtype=kind, device=device)
        self._size = size
        self._views = [self._parts(row) for row in self._rows]
        self._has = [False] * len(self._parameters)
        self._losses: list[Tensor] = []
        """per batch of the step, the weighted losses of the own shards"""
        self._returned: list[Tensor] = []

    def _parts(self, row: Tensor) -> list[Tensor]:
        """Return views of a row (P), one for each parameter and of its shape."""
        parts = torch.split(row[: self._size], [each.numel() for each in self._parameters])
        return [part.view(each.shape) for part, each in zip(parts, self._parameters, strict=True)]

    def add(self, images: Tensor, labels: Tensor, count: int) -> Tensor:
        """Compute the gradients of the own shards; `complete` sums them and fills the loss."""
        shards = self._shards
        cut = [torch.tensor_split(each, shards.count) for each in (images, labels)]
        losses = torch.zeros_like(self._rows[:, 0])

        def step(shard: int) -> None:
            of_images, of_labels = (each[shard] for each in cut)
            if not len(of_labels):
                return  # the batch has fewer examples than shards
            share, row = len(of_labels) / len(labels), shard - shards.own.start
            loss = self._inner.add(of_images, of_labels, 1)
            self._inner.complete()
            losses[row] = loss * share
            self._take(self._views[row], share / count)

        shards.run(step)
        self._losses.append(losses)
        self._returned.append(losses.new_zeros(()))
        return self._returned[-1]

    @torch.no_grad()
    def _take(self, views: Sequence[Tensor], share: float) -> None:
        """Move the parameters' gradients, times a share, to the sums of a shard."""
        there: list[Tensor] = []
        found: list[Tensor] = []
        for number, (parameter, view) in enumerate(zip(self._parameters, views, strict=True)):
            if parameter.grad is None:
                continue
            if parameter.grad.layout is not torch.strided:
                raise RunError(
                    "trainer.shards: a parameter has sparse gradients, which shards cannot sum; "
                    "set sparse=False in its layer, or trainer.shards=1"
                )
            self._has[number] = True
            there.append(view)
            found.append(parameter.grad)
            parameter.grad = None
        if found:
            torch._foreach_add_(there, torch._foreach_mul(found, share))

    @torch.no_grad()
    def complete(self) -> None:
        """Sum the gradients of all shards into the parameters, and fill the losses."""
        total, losses = self._sums()
        for filled, loss in zip(self._returned, losses, strict=True):
            filled.copy_(loss)
        for parameter, part, has in zip(
            self._parameters, self._parts(total), self._has, strict=True
        ):
            parameter.grad = like(parameter, part.to(parameter.dtype)) if has else None
        self._rows.zero_()
        self._has = [False] * len(self._parameters)
        self._losses, self._returned = [], []

    def _sums(self) -> tuple[Tensor, Tensor]:
        """Return the sums over all shards: of the gradients (P), and of each batch's losses."""
        team, own = self._team, torch.stack(self._losses, 1)
        if team.size == 1:
            return _in_order(self._rows), _in_order(own)
        count, width = self._rows.shape
        part = width // team.size
        told = own.new_tensor([team.asked, *self._has])
        head = torch.cat([told, own.flatten()]).expand(team.size, -1)
        mine = self._rows.view(count, team.size, part).transpose(0, 1).flatten(1)
        got = team.exchange(torch.cat([mine, head], 1))
        rows, told, losses = torch.split(got, [count * part, len(told), own.numel()], 1)
        signals, *has = told.amax(0).tolist()
        team.hear([signals])
        self._has = [bool(each) for each in has]
        total = team.gather(_in_order(rows.reshape(-1, part)))
        return total.flatten(), _in_order(losses.reshape(-1, own.shape[1]))


def _in_order(rows: Tensor) -> Tensor:
    """Return the sum of rows, from the first to the last."""
    total = rows[0]
    for row in rows[1:]:
        total = total + row
    return total
