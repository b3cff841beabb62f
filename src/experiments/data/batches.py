"""Batches: bytes become the article's normalised floats."""

from __future__ import annotations

from collections.abc import Iterator, Sized

import torch
from torch import Tensor

from experiments.data.splits import Split

_BATCHES_AT_ONCE = 16  # one gather and one normalisation serve so many batches and stay in cache


def normalise(images: Tensor) -> Tensor:
    """Return float32 (N, C, H, W) in -1 to 1 for bytes (N, H, W) or (N, C, H, W).

    As ToTensor and Normalize(0.5, 0.5) in the article to the bit, in two passes for four:
    (x/255 - 0.5)/0.5 = x/127.5 - 1, and to double a number rounds nothing.
    """
    scaled = images.float().div_(127.5).sub_(1)
    return scaled.unsqueeze(1) if scaled.dim() == 3 else scaled


def batches(
    split: Split,
    batch_size: int,
    *,
    order: Tensor | None = None,
    limit: int | None = None,
    skip: int = 0,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield (images, labels): float32 (B, C, H, W) and int64 (B); the last batch may be smaller.

    Args:
        split: the examples.
        batch_size: B.
        order: the order to visit them in, int64 (N); as they lie if None.
        limit: at most so many batches, skipped ones included.
        skip: leave out so many batches at the beginning.
    """
    count = len(split) if limit is None else min(len(split), limit * batch_size)
    step = batch_size * _BATCHES_AT_ONCE
    for start in range(skip * batch_size, count, step):
        chunk = slice(start, min(start + step, count))
        images, labels = split.at(chunk if order is None else order[chunk])
        parts = normalise(images), labels
        yield from zip(*(torch.split(part, batch_size) for part in parts), strict=True)


def count_batches(split: Sized, batch_size: int, limit: int | None = None) -> int:
    """Return how many batches `batches` yields."""
    count = -(-len(split) // batch_size)
    return count if limit is None else min(count, limit)
