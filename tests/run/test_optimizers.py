"""Optimizers with few or further arguments: the same run, resumed to the bit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from experiments.identity.ingredients import ingredients_of
from experiments.run.build import assemble
from tests.run.test_lifecycle import assert_the_same, configuration

FEW = ("~optimizer", "+optimizer={_target_:torch.optim.SGD,lr:0.01}")


def identity(root: str, *overrides: str) -> str:
    config = configuration(root, *overrides)
    return ingredients_of(config, data_sha256="0" * 64, device="cpu").identity


def test_arguments_that_are_left_out_have_the_identity_of_their_defaults(root: str) -> None:
    few = identity(root, *FEW)
    assert few == identity(root, "optimizer=sgd")
    assert few == identity(root, "optimizer=sgd", "+optimizer.maximize=false")
    assert few != identity(root, "optimizer=sgd", "+optimizer.maximize=true")
    assert few != identity(root, "optimizer=sgd", "optimizer.fused=false")


def test_an_optimizer_of_few_arguments_is_fused(root: str) -> None:
    (group,) = assemble(configuration(root, *FEW)).optimizer.param_groups
    assert group["fused"] is True


@pytest.mark.parametrize(
    "overrides",
    [
        "optimizer=adamw +optimizer.amsgrad=true",
        "optimizer=adamw +optimizer.maximize=true optimizer.lr=1e-6",
        "optimizer=sgd_momentum optimizer.fused=false +optimizer.foreach=true",
    ],
)
def test_interrupted_and_resumed_to_the_bit(tmp_path: Path, root: str, overrides: str) -> None:
    assert_the_same(configuration(root, *overrides.split()), tmp_path, 30, 7)


def test_maximising_steps_the_other_way(root: str) -> None:
    weights = {}
    for maximize in (False, True):
        more = () if not maximize else ("+optimizer.maximize=true",)
        parts = assemble(configuration(root, "optimizer=sgd", *more))
        weight = parts.model.fc1.weight
        before = weight.detach().clone()
        weight.grad = torch.ones_like(weight)
        parts.optimizer.step()
        weights[maximize] = (weight - before).mean().item()
    assert weights[False] == pytest.approx(-0.01, rel=1e-4)
    assert weights[True] == pytest.approx(0.01, rel=1e-4)
