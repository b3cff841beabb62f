"""What shards of a batch share: one state of the random numbers and of the buffers at its begin."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from experiments.distributed.team import Team


class Buffers:
    """The buffers of a model and of its loss, which a forward pass may change."""

    def __init__(self, *modules: object) -> None:
        self._modules = [each for each in modules if isinstance(each, nn.Module)]

    def now(self) -> list[Tensor]:
        """Return the buffers themselves."""
        return [buffer for module in self._modules for buffer in module.buffers()]

    def copies(self) -> list[Tensor]:
        """Return copies of the buffers."""
        return [buffer.clone() for buffer in self.now()]

    @torch.no_grad()
    def put(self, values: list[Tensor]) -> None:
        """Give the buffers the values of `copies`."""
        for buffer, value in zip(self.now(), values, strict=True):
            buffer.copy_(value)


Seed = Callable[[int], None]
"""seeds the random numbers of a shard of the present batch; the number of shards names its end"""


class Shards:
    """The shards of a batch that this process computes, one after the other.

    Each begins with random numbers of its own and with the buffers of the batch's begin. After the
    batch all processes have the buffers of shard 0, as in `DistributedDataParallel`, and the same
    random numbers.
    """

    def __init__(self, count: int, team: Team, seed: Seed, buffers: Buffers) -> None:
        """Take what the shards share.

        Args:
            count: the number of shards of a batch, a multiple of the number of processes.
            team: the processes.
            seed: seeds the random numbers of a shard.
            buffers: the buffers that a forward pass may change.
        """
        self.count, self._team, self._seed, self._buffers = count, team, seed, buffers
        each = count // team.size
        self.own = range(team.rank * each, (team.rank + 1) * each)

    def run(self, step: Callable[[int], None]) -> None:
        """Compute the shards of this process.

        Args:
            step: computes the shard of a number.
        """
        begin = self._buffers.copies()
        kept = begin
        for shard in self.own:
            if begin and shard > self.own.start:
                self._buffers.put(begin)
            self._seed(shard)
            step(shard)
            if shard == self.own.start and len(self.own) > 1:
                kept = self._buffers.copies()
        if begin and len(self.own) > 1:
            self._buffers.put(kept)
        self._team.share(self._buffers.now())
        self._seed(self.count)
