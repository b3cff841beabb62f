"""Batches of a split, with bytes turned into normalised floats as in the article.

"The article" is "Model definition and training in PyTorch", shared/article/article.txt.
"""

from __future__ import annotations

from collections.abc import Iterator, Sized

import torch
from torch import Tensor

from experiments.data.splits import Split, on_device
from experiments.randomness import generator
from experiments.threads import threads_for

_BATCHES_AT_ONCE = 16  # one gather and one normalisation for so many batches, which fit the cache
_ALIGNMENT = 64  # bytes


def normalise(images: Tensor) -> Tensor:
    """Return images as float32 (N, C, H, W), -1 to 1, for bytes (N, H, W) or (N, C, H, W).

    The result equals ToTensor and Normalize(0.5, 0.5) of the article to the bit, with two passes
    instead of four: (x/255 - 0.5)/0.5 = x/127.5 - 1, and doubling a number is exact.
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
        order: the order of the examples, int64 (N); None for the order of the split.
        limit: the largest number of batches, skipped ones included; None for all.
        skip: the number of batches to leave out at the beginning.
    """
    count = len(split) if limit is None else min(len(split), limit * batch_size)
    step = batch_size * _BATCHES_AT_ONCE
    for start in range(skip * batch_size, count, step):
        chunk = slice(start, min(start + step, count))
        with threads_for(step * split.images[0].numel()):
            images, labels = split.at(chunk if order is None else order[chunk])
            parts = normalise(images), labels
        for images, labels in zip(*(torch.split(part, batch_size) for part in parts), strict=True):
            yield aligned(images), labels


def aligned(images: Tensor) -> Tensor:
    """Return images that begin where torch puts new tensors, as a batch of their own would.

    The bits of MKL's products depend on it. In a run that is resumed within an epoch the same batch
    lies elsewhere among those that were gathered with it.
    """
    return images if images.data_ptr() % _ALIGNMENT == 0 else images.clone()


def first_batch(split: Split, size: int) -> tuple[Tensor, Tensor]:
    """Return the first `size` examples of a split as a batch, for trials; fewer if it has fewer."""
    places = torch.arange(min(size, len(split)), device=split.labels.device)
    images, labels = split.at(places)
    return normalise(images), labels


def count_batches(split: Sized, batch_size: int, limit: int | None = None) -> int:
    """Return the number of batches that `batches` yields with `skip=0`."""
    count = -(-len(split) // batch_size)
    return count if limit is None else min(count, limit)


def order_of(split: Split, seed: int, epoch: int) -> Tensor:
    """Return the order in which an epoch visits a split's examples, int64 (N)."""
    order = torch.randperm(len(split), generator=generator(seed, "shuffle", epoch))
    return on_device(order, split.labels.device)
