"""Stateless randomness: what is random in an epoch derives from (seed, purpose, epoch) alone.

So resuming at an epoch needs no generator state, and one purpose never shifts the numbers of
another. Within an epoch, torch's own generators have moved on by as much as the model drew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

Purpose = Literal["weights", "shuffle", "forward", "validation"]


def derive(seed: int, purpose: Purpose, epoch: int = 0) -> int:
    """Return a 63-bit seed, the first bytes of SHA-256 over the three."""
    digest = hashlib.sha256(f"{seed}/{purpose}/{epoch}".encode()).digest()
    return int.from_bytes(digest[:8]) >> 1


def generator(seed: int, purpose: Purpose, epoch: int = 0) -> torch.Generator:
    """Return a CPU generator seeded with `derive`: the same numbers whatever the device."""
    return torch.Generator().manual_seed(derive(seed, purpose, epoch))


def random_state(device: torch.device) -> list[Tensor]:
    """Return the state of torch's own generators, of the CPU and of a CUDA device."""
    states = [torch.get_rng_state()]
    if device.type == "cuda":
        states.append(torch.cuda.get_rng_state(device))
    return states


def set_random_state(device: torch.device, states: Sequence[Tensor]) -> None:
    """Set the generators to what `random_state` returned on a device of the same kind."""
    torch.set_rng_state(states[0])
    if device.type == "cuda":
        torch.cuda.set_rng_state(states[1], device)
