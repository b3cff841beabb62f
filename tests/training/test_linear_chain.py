"""Chains of linear layers are recognised, and no model is taken for one that does more."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from experiments.models import ConvNet, SimpleNet
from experiments.training.linear_chain import linear_chain
from tests.training.models import (
    SEEN,
    Buffered,
    Counting,
    Deciding,
    Dropping,
    Helped,
    Importing,
    Inheriting,
    Net,
    Noisy,
    Noting,
    OfClass,
    Partial,
    Printing,
    Reading,
    Residual,
    Scaling,
    Shaped,
    Sized,
    Skipping,
    Stored,
    Tensing,
    Twice,
    Viewing,
    closing,
)


@pytest.mark.parametrize(
    ("model", "activations"),
    [
        (SimpleNet(), ["relu", None]),
        (SimpleNet(hidden=[]), [None]),
        (SimpleNet(hidden=[8, 8, 8]), ["relu", "relu", "relu", None]),
        (Net(), ["relu", None]),
        (Stored(), ["relu", None]),
        (Sized(), ["tanh", None]),
        (Shaped(), ["sigmoid", None]),
        (nn.Sequential(nn.Flatten(), nn.Linear(9, 4, bias=False), nn.Tanh()), ["tanh"]),
        (
            nn.Sequential(nn.Flatten(), nn.Linear(9, 4), nn.Identity(), nn.Linear(4, 3)),
            [None, None],
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_chain_is_recognised(model: nn.Module, activations: list[str | None]) -> None:
    layers = linear_chain(model)
    assert layers is not None
    assert [layer.activation for layer in layers] == activations
    assert [layer.linear for layer in layers] == [
        module for module in model.modules() if isinstance(module, nn.Linear)
    ]


def frozen() -> nn.Module:
    model = SimpleNet()
    next(model.parameters()).requires_grad_(False)
    return model


def hooked() -> nn.Module:
    model = SimpleNet()
    model.register_forward_hook(lambda *_: None)
    return model


@pytest.mark.parametrize(
    "model",
    [
        *(ConvNet(), Counting(), Noting(), Printing(), Deciding(), Residual(), Scaling()),
        *(Noisy(), Skipping(), Dropping(), Helped(), Inheriting(), OfClass(), Tensing()),
        *(Importing(), closing(), Viewing()),
        *(Reading(), Partial(), Twice(), Buffered(), frozen(), hooked(), SimpleNet().double()),
        nn.Sequential(nn.Linear(784, 10)),
        nn.Sequential(nn.Flatten(), nn.Linear(784, 10), nn.Dropout(0.5)),
        nn.Sequential(nn.Flatten(), nn.Linear(784, 10), nn.BatchNorm1d(10)),
        nn.Sequential(nn.Flatten(), nn.Linear(784, 10), nn.ReLU(), nn.Tanh()),
        nn.Sequential(nn.Flatten(0), nn.Linear(784, 10)),
        nn.utils.parametrizations.weight_norm(nn.Linear(784, 10)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_any_other_model_is_left_to_autograd(model: nn.Module) -> None:
    seen, numbers = len(SEEN), torch.get_rng_state()
    for mode in (True, False):
        assert linear_chain(model.train(mode)) is None
    assert len(SEEN) == seen
    assert torch.equal(torch.get_rng_state(), numbers)
