"""Stateless randomness: what is random in an epoch derives from (seed, purpose, epoch) alone.

So resuming needs no generator state, and one purpose never shifts the numbers of another.
"""

from __future__ import annotations

import hashlib
from typing import Literal

import torch

Purpose = Literal["weights", "shuffle", "forward", "validation"]


def derive(seed: int, purpose: Purpose, epoch: int = 0) -> int:
    """Return a 63-bit seed, the first bytes of SHA-256 over the three."""
    digest = hashlib.sha256(f"{seed}/{purpose}/{epoch}".encode()).digest()
    return int.from_bytes(digest[:8]) >> 1


def generator(seed: int, purpose: Purpose, epoch: int = 0) -> torch.Generator:
    """Return a CPU generator seeded with `derive`: the same numbers whatever the device."""
    return torch.Generator().manual_seed(derive(seed, purpose, epoch))
