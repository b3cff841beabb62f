"""The batches of lanes: one per lane, or one that all lanes share. L lanes, B batch, N examples."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from experiments.data.batches import normalise, order_of
from experiments.data.splits import Split


def orders_of(lanes: Sequence[tuple[Split, int, int]]) -> Tensor:
    """Return the order (L, N) in which each lane visits the data set; (1, N) if all agree.

    Args:
        lanes: the training split, the seed and the epoch of each lane.
    """
    agree = len({(seed, epoch) for _, seed, epoch in lanes}) == 1
    chosen = lanes[:1] if agree else lanes
    return torch.stack([split.places(order_of(split, *told)) for split, *told in chosen])


def batch_at(split: Split, places: Tensor) -> tuple[Tensor, Tensor]:
    """Return images (L, B, C, H, W) and labels (L, B, ...) at places (L, B); no L if L is 1."""
    images = normalise(split.images.index_select(0, places.flatten()))
    labels = split.labels.index_select(0, places.flatten())
    if len(places) == 1:
        return images, labels
    return (
        images.view(*places.shape, *images.shape[1:]),
        labels.view(*places.shape, *labels.shape[1:]),
    )
