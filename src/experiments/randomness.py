"""Stateless randomness: all random numbers of an epoch derive from (seed, purpose, epoch) alone.

So resuming at the start of an epoch needs no generator state, and one purpose never shifts the
numbers of another. Within an epoch, a model may draw from the generators of torch, NumPy and
Python. Resuming inside an epoch therefore needs their states: see `random_state`.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

Purpose = Literal[
    "import", "data", "weights", "shuffle", "forward", "shard", "evaluation", "test", "validation"
]


def derive(seed: int, purpose: Purpose, epoch: int = 0, *within: int) -> int:
    """Return a 63-bit seed: the first bytes of the SHA-256 of "seed/purpose/epoch".

    Args:
        seed: the seed of the run.
        purpose: what the random numbers are for.
        epoch: the epoch, counted from 1; 0 for numbers that belong to none.
        within: the place inside the epoch, such as a batch and a shard of it, also joined by "/".
    """
    place = "/".join(map(str, (seed, purpose, epoch, *within)))
    digest = hashlib.sha256(place.encode()).digest()
    return int.from_bytes(digest[:8]) >> 1


def generator(seed: int, purpose: Purpose, epoch: int = 0) -> torch.Generator:
    """Return a CPU generator seeded with `derive`, so that the numbers are equal on all devices."""
    return torch.Generator().manual_seed(derive(seed, purpose, epoch))


def seed_all(seed: int) -> None:
    """Seed the global generators of torch, NumPy and Python.

    Args:
        seed: 63 bits, as `derive` returns.
    """
    torch.manual_seed(seed)
    _seed_others(seed)


def seed_in_use(seed: int, device: torch.device) -> None:
    """Seed the global generators of the CPU and of a device that is in use, many times a second.

    `seed_all` also prepares the devices that are not in use, which takes 0.1 ms a time.

    Args:
        seed: 63 bits, as `derive` returns.
        device: the device on which a run is trained.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)
    _seed_others(seed)


def _seed_others(seed: int) -> None:
    random.seed(seed)
    np.random.seed([seed & 0xFFFFFFFF, seed >> 32])  # noqa: NPY002  (user code draws from it)


def random_state(device: torch.device) -> list[Tensor]:
    """Return the states of the generators that `seed_all` seeds; torch's for the CPU and a GPU."""
    version, words, gauss = random.getstate()
    kind, key, position, has_gauss, cached = np.random.get_state()  # noqa: NPY002
    assert kind == "MT19937"  # noqa: S101  (NumPy's documented default)
    states = [
        torch.get_rng_state(),
        torch.tensor([version, *words]),
        torch.tensor([] if gauss is None else [gauss], dtype=torch.float64),
        torch.tensor([*map(int, key), position, has_gauss]),
        torch.tensor([cached], dtype=torch.float64),
    ]
    if device.type == "cuda":
        states.append(torch.cuda.get_rng_state(device))
    return states


def set_random_state(device: torch.device, states: Sequence[Tensor]) -> None:
    """Set the generators to the states from `random_state` on a device of the same kind."""
    torchs, words, gauss, numpys, cached, *gpus = states
    torch.set_rng_state(torchs)
    version, *told = words.tolist()
    random.setstate((version, tuple(told), gauss.item() if len(gauss) else None))
    *key, position, has_gauss = numpys.tolist()
    np.random.set_state(  # noqa: NPY002
        ("MT19937", np.array(key, dtype=np.uint32), position, has_gauss, cached.item())
    )
    if device.type == "cuda":
        torch.cuda.set_rng_state(gpus[0], device)


def have_moved(device: torch.device, since: Sequence[Tensor]) -> bool:
    """Return whether any code has drawn random numbers since `random_state` returned `since`."""
    return not all(map(torch.equal, random_state(device), since))
