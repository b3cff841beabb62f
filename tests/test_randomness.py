"""Randomness derives from (seed, purpose, epoch) and nothing else."""

from __future__ import annotations

import torch

from experiments.randomness import derive, generator


def test_fixed_for_ever() -> None:
    """A change here changes every run that was ever recorded."""
    assert derive(0, "weights") == 664_910_812_957_149_500
    assert derive(0, "shuffle", 1) == 9_039_233_566_760_333_659


def test_all_three_matter() -> None:
    seeds = {
        derive(seed, purpose, epoch)
        for seed in (0, 1, 10, 2**62)
        for purpose in ("weights", "shuffle", "forward", "validation")
        for epoch in (0, 1, 10, 11)
    }
    assert len(seeds) == 4 * 4 * 4
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_a_generator_ignores_the_global_state() -> None:
    first = torch.rand(3, generator=generator(0, "shuffle", 1))
    torch.manual_seed(99)
    assert torch.equal(torch.rand(3, generator=generator(0, "shuffle", 1)), first)
