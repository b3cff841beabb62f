"""Read and write idx, the file format of MNIST: a header of big-endian sizes, then bytes."""

from __future__ import annotations

import hashlib
import math
import mmap
import struct
from pathlib import Path

import torch
from torch import Tensor

from experiments.errors import InputError

_UNSIGNED_BYTE = 0x08


def write(path: Path, values: Tensor) -> None:
    """Write a uint8 tensor of any shape."""
    header = struct.pack(f">HBB{values.dim()}I", 0, _UNSIGNED_BYTE, values.dim(), *values.shape)
    path.write_bytes(header + values.contiguous().numpy().tobytes())


def read(path: Path, *, dims: int, sha256: str | None = None) -> tuple[Tensor, str]:
    """Return the uint8 tensor of a file, and the SHA-256 of all bytes of the file.

    The tensor maps the file in the page cache, so that processes share the memory.

    Args:
        path: the file.
        dims: the number of dimensions that the tensor must have.
        sha256: the SHA-256 that the file must have; None for any.

    Raises:
        InputError: the file is empty, no idx file or cut short, or its dimensions or its SHA-256
            are wrong.
    """
    if path.stat().st_size == 0:
        raise _damaged(path, "is empty")
    with path.open("rb") as file:
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    shape = _shape(content, dims, path)
    start = 4 + 4 * dims
    if len(content) != start + math.prod(shape):
        raise _damaged(path, f"has {len(content)} bytes instead of {start + math.prod(shape)}")
    found = hashlib.sha256(content).hexdigest()
    if sha256 is not None and found != sha256:
        raise _damaged(path, f"its SHA-256 is {found[:12]}… instead of {sha256[:12]}…")
    return torch.frombuffer(content, dtype=torch.uint8, offset=start).view(shape), found


def _shape(content: mmap.mmap, dims: int, path: Path) -> tuple[int, ...]:
    if len(content) < 4 + 4 * dims or content[:3] != bytes([0, 0, _UNSIGNED_BYTE]):
        raise _damaged(path, "is no idx file of bytes")
    if content[3] != dims:
        raise _damaged(path, f"has {content[3]} dimensions instead of {dims}")
    shape: tuple[int, ...] = struct.unpack_from(f">{dims}I", content, 4)
    if 0 in shape:
        raise _damaged(path, "holds nothing")
    return shape


def _damaged(path: Path, finding: str) -> InputError:
    return InputError(f"data.root: {path} {finding}; delete it and run again to fetch it anew")
