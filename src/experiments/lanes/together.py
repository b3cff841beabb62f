"""A step of lanes that stand at the same batch.

Shapes: L lanes, B batch, C channels, H and W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from experiments.data.batches import first_batch
from experiments.lanes.lane import Lane
from experiments.lanes.stack import Layouts, Stack, layouts_of
from experiments.training.chain_gradients import ChainGradients
from experiments.training.updates import Updates


class Together:
    """Lanes at the same batch of an epoch: chains of linear layers in turn, others as a stack.

    The gradients of a chain are written out, and a stack of chains would take longer than the
    chains one after the other. These have the same bits as alone.
    """

    def __init__(self, lanes: Sequence[Lane], layouts: Layouts) -> None:
        """Move the lanes into a stack, unless they are chains.

        Args:
            lanes: runs of one model class with the same arguments.
            layouts: as `layouts_for` returns them.
        """
        self.lanes = lanes
        self.updates = Updates([lane.optimizer for lane in lanes])
        models = [lane.model for lane in lanes]
        self._stack = None if _are_chains(lanes) else Stack(models, lanes[0].task, layouts)

    def train(self) -> None:
        """Put the models into training mode, because an evaluation leaves them in another."""
        self.updates.refresh()
        for lane in self.lanes:
            lane.model.train()

    def step(self, images: Tensor, labels: Tensor) -> Tensor:
        """Step each lane's optimizer; return the losses (L), without a graph.

        Args:
            images: float32 (L, B, C, H, W), or (B, C, H, W) for one batch that all lanes share.
            labels: (L, B, ...), or (B, ...) for a shared batch.
        """
        if self._stack is not None:
            losses = self._stack.losses(images, labels)
            self.updates.step_by(self._stack.gradients(losses))
            return losses.detach()
        is_shared = images.dim() == 4
        found = [
            lane.gradients.add(*((images, labels) if is_shared else (images[n], labels[n])), 1)
            for n, lane in enumerate(self.lanes)
        ]
        self.updates.step()
        return torch.stack(found)


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
