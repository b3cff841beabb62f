"""The memory layout of tensors; fused kernels pair a weight with its gradient by position."""

from __future__ import annotations

import torch
from torch import Tensor


def is_dense(tensor: Tensor) -> bool:
    """Return whether a tensor fills its memory without gaps or overlaps, in any order."""
    return torch.empty_like(tensor, device="meta").stride() == tensor.stride()


def is_laid_out_like(tensor: Tensor, other: Tensor) -> bool:
    """Return whether two tensors of equal shape have each element at the same memory offset."""
    pairs = zip(tensor.shape, tensor.stride(), other.stride(), strict=True)
    return all(mine == its for size, mine, its in pairs if size > 1)


def like(parameter: Tensor, value: Tensor) -> Tensor:
    """Return a tensor with the values of `value` and the memory layout of `parameter`."""
    if value.stride() == parameter.stride():
        return value
    return torch.empty_like(parameter, dtype=value.dtype).copy_(value)
