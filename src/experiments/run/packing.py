"""Packing of nested state into JSON data and tensors, and back without any difference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


def own(tensor: Tensor) -> Tensor:
    """Return a contiguous copy in the CPU's memory."""
    return tensor.detach().cpu().clone().contiguous()


def pack(value: Any, tensors: dict[str, Tensor]) -> Any:
    """Return a nested value as JSON data; its tensors go into `tensors`, under their path.

    Raises:
        TypeError: it holds a value that a checkpoint cannot hold.
    """
    return _pack(value, tensors, "")


def _pack(value: Any, tensors: dict[str, Tensor], path: str) -> Any:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Tensor() if value.layout is torch.strided and not (
            value.is_complex() or value.is_meta
        ):
            name = path.lstrip(".")
            while name in tensors:  # {"a.b": 1, "a": {"b": 2}}
                name += "'"
            tensors[name] = own(value)
            # Fused kernels pair a weight with its momentum by their places in memory.
            return {"tensor": [name, torch.empty_like(value, device="meta").stride()]}
        case Counter() | Mapping():
            kind = "counter" if isinstance(value, Counter) else "mapping"
            for key in value:
                if not isinstance(key, None | bool | int | float | str):
                    raise TypeError(
                        f"{path.lstrip('.')} has a key of the type {type(key).__name__}"
                    )
            return {kind: [[k, _pack(v, tensors, f"{path}.{k}")] for k, v in value.items()]}
        case list() | tuple():
            items = [_pack(v, tensors, f"{path}.{i}") for i, v in enumerate(value)]
            return items if isinstance(value, list) else {"tuple": items}
    raise TypeError(f"{path.lstrip('.')} is of the type {type(value).__name__}")


def unpack(packed: Any, tensors: Mapping[str, Tensor]) -> Any:
    """Return the value from which `pack` made this data.

    Raises:
        ValueError: `pack` did not make this data.
    """
    if isinstance(packed, list):
        return [unpack(item, tensors) for item in packed]
    if not isinstance(packed, dict):
        return packed
    ((kind, content),) = packed.items()
    match kind:
        case "tensor":
            name, stride = content
            return _strided(tensors[name], stride)
        case "tuple":
            return tuple(unpack(item, tensors) for item in content)
        case "counter":
            return Counter({key: unpack(item, tensors) for key, item in content})
        case "mapping":
            return {key: unpack(item, tensors) for key, item in content}
    raise ValueError(f"{kind} is no kind of value")


def _strided(saved: Tensor, stride: list[int]) -> Tensor:
    """Return a copy with the given strides, which must fill its memory without gap or overlap."""
    expected = 1
    for step, size in sorted(zip(stride, saved.shape, strict=True)):
        if size > 1 and saved.numel():
            if step != expected:
                raise ValueError(f"strides of {stride} do not fit a tensor of {saved.shape}")
            expected *= size
    return torch.empty_strided(saved.shape, stride, dtype=saved.dtype).copy_(saved)
