"""A step of lanes that stand at the same batch.

Shapes: L lanes, B batch, C channels, H and W pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from experiments.data.batches import aligned, first_batch
from experiments.lanes.lane import Lane
from experiments.lanes.stack import Layouts, Stack, layouts_of
from experiments.training.chain_gradients import ChainGradients
from experiments.training.compiled_steps import CompiledSteps, compiled_steps
from experiments.training.updates import Updates


@dataclass(frozen=True)
class OwnSteps:
    """The steps of a lane that shares no kernel with its neighbours."""

    updates: Updates
    compiled: CompiledSteps | None
    """None for steps in Python"""


def own_steps(lane: Lane, batch_size: int) -> OwnSteps:
    """Return the steps of a lane, compiled if they can be."""
    updates, compiled = Updates([lane.optimizer]), None
    if lane.schedule_interval == "epoch":
        told = lane.gradients, updates, lane.optimizer, lane.train, batch_size
        compiled = compiled_steps(*told)
    return OwnSteps(updates, compiled)


class Together:
    """Lanes at the same batch of an epoch: chains of linear layers in turn, others as a stack.

    The gradients of a chain are written out, and a stack of chains would take longer than the
    chains one after the other. These have the same bits as alone.
    """

    def __init__(self, lanes: Sequence[Lane], own: Sequence[OwnSteps], layouts: Layouts) -> None:
        """Move the lanes into a stack, unless they are chains.

        Args:
            lanes: runs of one model class with the same arguments.
            own: the steps of each lane.
            layouts: as `layouts_for` returns them.
        """
        self.lanes, self._own = lanes, own
        self._stack = None
        self._updates = [each.updates for each in own]
        if not _are_chains(lanes):
            self._stack = Stack([lane.model for lane in lanes], lanes[0].task, layouts)
            self._updates = [Updates([lane.optimizer for lane in lanes])]

    def train(self) -> None:
        """Put the models into training mode, because an evaluation leaves them in another."""
        self.refresh()
        for lane in self.lanes:
            lane.model.train()

    def refresh(self) -> None:
        """Read the optimizers again, after a schedule may have changed them."""
        for updates in self._updates:
            updates.refresh()

    def step(self, images: Tensor, labels: Tensor) -> Tensor:
        """Step each lane's optimizer; return the losses (L), without a graph.

        Args:
            images: float32 (L, B, C, H, W), or (B, C, H, W) for one batch that all lanes share.
            labels: (L, B, ...), or (B, ...) for a shared batch.
        """
        if self._stack is not None:
            losses = self._stack.losses(images, labels)
            self._updates[0].step_by(self._stack.gradients(losses))
            return losses.detach()
        is_shared, found = images.dim() == 4, []
        for n, (lane, updates) in enumerate(zip(self.lanes, self._updates, strict=True)):
            batch = (images, labels) if is_shared else (aligned(images[n]), labels[n])
            found.append(lane.gradients.add(*batch, 1))
            updates.step()
        return torch.stack(found)

    def are_ready(self) -> bool:
        """Return whether the next steps of all lanes may be compiled."""
        steps = [own.compiled for own in self._own]
        return self._stack is None and all(each is not None and each.are_ready() for each in steps)

    def take(self, places: Tensor, totals: Tensor) -> Iterator[int]:
        """Step by compiled steps; yield the number of batches after every few of them.

        Args:
            places: of the examples in the data set, int64 (L, N), or (1, N) for shared ones.
            totals: float32 (L), to which each lane's losses are added.
        """
        steps = [own.compiled for own in self._own if own.compiled is not None]
        rows = places.expand(len(steps), -1)
        taken = [each.take(*told) for each, *told in zip(steps, rows, totals, strict=True)]
        for done, *_ in zip(*taken, strict=True):
            yield done


def layouts_for(lanes: Sequence[Lane], batch_size: int) -> Layouts:
    """Return the memory layouts of a stack of these lanes; none if they need no stack.

    Raises:
        CannotStackError: the model does something that is impossible for all lanes at once.
    """
    if len(lanes) == 1 or _are_chains(lanes):
        return {}
    batch = first_batch(lanes[0].train, batch_size)
    return layouts_of([lane.model for lane in lanes], lanes[0].task, *batch)


def _are_chains(lanes: Sequence[Lane]) -> bool:
    """Return whether lanes are trained in turn; if one is no chain, autograd computes it alone."""
    return any(isinstance(lane.gradients, ChainGradients) for lane in lanes)
