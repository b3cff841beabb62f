"""How tensors lie in memory: fused kernels pair a weight with its gradient by their places."""

from __future__ import annotations

import torch
from torch import Tensor


def is_dense(tensor: Tensor) -> bool:
    """Return whether a tensor fills its memory without gaps or overlaps, in whatever order."""
    return torch.empty_like(tensor, device="meta").stride() == tensor.stride()


def is_laid_out_like(tensor: Tensor, other: Tensor) -> bool:
    """Return whether two tensors of a shape have each element at the same place."""
    pairs = zip(tensor.shape, tensor.stride(), other.stride(), strict=True)
    return all(mine == its for size, mine, its in pairs if size > 1)


def like(parameter: Tensor, value: Tensor) -> Tensor:
    """Return a value of a parameter's shape laid out in memory as the parameter is."""
    if value.stride() == parameter.stride():
        return value
    return torch.empty_like(parameter, dtype=value.dtype).copy_(value)
