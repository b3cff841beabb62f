"""Randomness derives from (seed, purpose, epoch) and nothing else."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import Dataset

from experiments.data.splits import load
from experiments.randomness import (
    derive,
    generator,
    have_moved,
    random_state,
    seed_all,
    seed_in_use,
    set_random_state,
)
from experiments.target_classes import resolve
from experiments.training.evaluation import evaluate
from tests.made_tasks import classification
from tests.own_models import Drawing, Dropping

CPU = torch.device("cpu")
DRAWS = {
    "random": random.random,
    "gauss": lambda: random.gauss(0, 1),
    "numpy": lambda: float(np.random.rand()),  # noqa: NPY002
    "numpy's normal": lambda: float(np.random.randn()),  # noqa: NPY002
    "torch": lambda: float(torch.rand(())),
}


def test_fixed_for_ever() -> None:
    """These numbers must not change, because every recorded run depends on them."""
    assert derive(0, "weights") == 664_910_812_957_149_500
    assert derive(0, "shuffle", 1) == 9_039_233_566_760_333_659


def test_all_three_matter() -> None:
    seeds = {
        derive(seed, purpose, epoch)
        for seed in (0, 1, 10, 2**62)
        for purpose in ("weights", "shuffle", "forward", "validation", "evaluation", "data")
        for epoch in (0, 1, 10, 11)
    }
    assert len(seeds) == 4 * 6 * 4
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_a_generator_ignores_the_global_state() -> None:
    first = torch.rand(3, generator=generator(0, "shuffle", 1))
    torch.manual_seed(99)
    assert torch.equal(torch.rand(3, generator=generator(0, "shuffle", 1)), first)


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_every_generator_is_seeded_kept_and_put_back(draw) -> None:
    seed_all(2**62 + 5)
    first = [draw() for _ in range(3)]
    kept = random_state(CPU)  # an odd number of draws: NumPy caches a second normal number
    assert not have_moved(CPU, kept)
    rest = [draw() for _ in range(3)]
    assert have_moved(CPU, kept)
    set_random_state(CPU, [state.clone() for state in kept])
    assert not have_moved(CPU, kept)
    assert [draw() for _ in range(3)] == rest
    seed_all(2**62 + 5)
    assert [draw() for _ in range(3)] == first
    seed_all(6)
    assert [draw() for _ in range(3)] != first


class Noisy(Dataset):
    """Draws its images from all three generators."""

    def __init__(self, *, train: bool, size: int = 20) -> None:
        draws = [draw() for _ in range(size) for draw in DRAWS.values()]
        images = torch.tensor(draws).abs().mul(100).remainder(255).byte()
        self.data = images.view(size, len(DRAWS), 1)
        self.targets = torch.arange(size) % 4


def test_a_data_set_draws_the_same_whatever_was_drawn_or_loaded_before() -> None:
    first = load(Noisy, {})
    assert not torch.equal(first.train.images, first.test.images)
    load(Noisy, {"size": 12})  # replaces the one cached result
    for draw in DRAWS.values():
        draw()
    again = load(Noisy, {})
    assert again is not first
    assert again.sha256 == first.sha256


def test_a_module_that_draws_as_it_is_imported_draws_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    values = []
    for name in ("first_drawing", "second_drawing"):
        text = "import random\nfrom torch import nn\nclass M(nn.Module): value = random.random()\n"
        (tmp_path / f"{name}.py").write_text(text)
        values.append(resolve("model", f"{name}.M", nn.Module).value)
        random.random()
    assert values[0] == values[1]


@pytest.mark.parametrize("model", [Drawing, Dropping])
def test_models_are_evaluated_together_as_alone_though_they_draw(digits, model) -> None:
    models = [model(), model(), model()]
    if model is Dropping:
        for each in models:
            each.register_forward_pre_hook(lambda module, _: setattr(module, "training", True))
    settings = {
        "task": classification(),
        "split": digits.train,
        "limit_batches": None,
        "after_batch": lambda: None,
    }
    together = evaluate(models=models, seeds=[1, 2, 3], **settings)
    for number in (2, 0, 1):
        alone = evaluate(models=[models[number]], seeds=[number + 1], **settings)
        assert alone == [together[number]]


def test_generators_in_use_are_seeded_like_all() -> None:
    cpu = torch.device("cpu")
    seed_all(2**62 + 7)
    whole = random_state(cpu)
    torch.rand(3)
    seed_in_use(2**62 + 7, cpu)
    assert all(map(torch.equal, random_state(cpu), whole))
