"""What shards of a batch share: one state of the random numbers and of the buffers at its begin."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from experiments.distributed.team import Team
from experiments.errors import RunError
from experiments.tasks import Task


class Buffers:
    """The buffers of a model and of its loss, which a forward pass may change."""

    def __init__(self, model: nn.Module, task: Task | None = None) -> None:
        """Take the model, and the task if the buffers of its present loss count too."""
        self._model, self._task = model, task

    def now(self) -> dict[str, Tensor]:
        """Return the buffers themselves, by their names."""
        modules = {"model": self._model, "task.loss": self._task.loss if self._task else None}
        return {
            f"{key}.{name}": buffer
            for key, module in modules.items()
            if isinstance(module, nn.Module)
            for name, buffer in module.named_buffers()
        }

    def copies(self) -> dict[str, Tensor]:
        """Return copies of the buffers."""
        return {name: buffer.clone() for name, buffer in self.now().items()}

    def have_moved(self, since: Mapping[str, Tensor]) -> bool:
        """Return whether a buffer differs from what `copies` returned."""
        now = self.now()
        return now.keys() != since.keys() or not all(
            torch.equal(buffer, since[name]) for name, buffer in now.items()
        )

    def check(self, since: Mapping[str, Tensor]) -> None:
        """Check that the buffers are still those of `copies`, with the same shapes.

        Raises:
            RunError: one was created, removed or resized.
        """
        now = self.now()
        for name in (*now, *since):
            if name in now and name in since and now[name].shape == since[name].shape:
                continue
            raise RunError(
                f"{name}: a forward pass creates, removes or resizes this buffer, so its state "
                "cannot be shared; register it in __init__ with its final shape, or train with "
                "trainer.shards=1 in one process"
            )

    @torch.no_grad()
    def put(self, values: Mapping[str, Tensor]) -> None:
        """Give the buffers the values of `copies`.

        Raises:
            RunError: a buffer was created, removed or resized meanwhile.
        """
        self.check(values)
        for name, buffer in self.now().items():
            buffer.copy_(values[name])


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

        Raises:
            RunError: a buffer was created, removed or resized.
        """
        begin = self._buffers.copies()
        kept = begin
        for shard in self.own:
            if shard > self.own.start:
                self._buffers.put(begin)
            self._seed(shard)
            step(shard)
            if shard == self.own.start and len(self.own) > 1:
                kept = self._buffers.copies()
        self._buffers.check(begin)
        if len(self.own) > 1:
            self._buffers.put(kept)
        self._team.share([*self._buffers.now().values()])
        self._seed(self.count)
