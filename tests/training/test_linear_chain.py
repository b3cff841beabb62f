"""Chains of linear layers are recognised, and no model is taken for one that does more."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from experiments.models import ConvNet, SimpleNet
from experiments.training.linear_chain import linear_chain

SEEN: list[int] = []


class Net(nn.Module):
    """The article's network; tests override `forward`."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(784, 16), nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.relu(self.fc1(x.view(-1, 784))))


class Sized(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.fc1(x.reshape(x.size(0), -1)).tanh())


class Shaped(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(torch.sigmoid(self.fc1(x.view(x.shape[0], -1))))


class Counting(Net):
    calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return super().forward(x)


class Noting(Net):
    def forward(self, x: Tensor) -> Tensor:
        SEEN.append(len(SEEN))
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


class Printing(Net):
    def forward(self, x: Tensor) -> Tensor:
        print("forward")
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


class Deciding(Net):
    def forward(self, x: Tensor) -> Tensor:
        if x.mean() > 0:
            x = -x
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


class Residual(Net):
    def forward(self, x: Tensor) -> Tensor:
        hidden = self.fc1(x.flatten(1))
        return self.fc2(hidden + F.relu(hidden))


class Scaling(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.relu(self.fc1(x.flatten(1)))) * 2


class Reading(Net):
    def __init__(self) -> None:
        super().__init__()
        self.history: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        self.history.append(x)
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


class Partial(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.fc1(x.flatten(1))


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 64)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(F.relu(self.layer(x.flatten(1))))


class Buffered(Net):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))


@pytest.mark.parametrize(
    ("model", "activations"),
    [
        (SimpleNet(), ["relu", None]),
        (SimpleNet(hidden=[]), [None]),
        (SimpleNet(hidden=[8, 8, 8]), ["relu", "relu", "relu", None]),
        (Net(), ["relu", None]),
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
    seen = len(SEEN)
    assert linear_chain(model) is None
    assert len(SEEN) == seen
