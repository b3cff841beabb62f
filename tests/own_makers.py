"""A user's own functions that make models, losses and metrics, and models with named sizes."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def perceptron(*, inputs: int, classes: int, width: int = 8) -> nn.Sequential:
    return nn.Sequential(
        nn.Flatten(), nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, classes)
    )


def resnet_for_grey(*, num_classes: int, in_channels: int) -> nn.Module:
    from torchvision.models import resnet18

    model = resnet18(num_classes=num_classes)
    model.conv1 = nn.Conv2d(in_channels, 64, kernel_size=3, padding=1, bias=False)
    return model


def liar() -> nn.Module:
    return 1  # type: ignore[return-value]


class Sized(nn.Module):
    """Takes its sizes from the data, and has a width of its own."""

    def __init__(self, in_channels: int, outputs: int, width: int = 4) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, width, 3)
        self.head = nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.conv(x).mean((2, 3)))


class Passing(Sized):
    """Passes its arguments on."""

    def __init__(self, **sizes: int) -> None:
        super().__init__(**sizes)


def half_mse(outputs: Tensor, targets: Tensor, *, weight: Tensor | None = None) -> Tensor:
    errors = (outputs - targets).square() / 2
    return (errors if weight is None else weight * errors).mean()


def share_above(outputs: Tensor, targets: Tensor, threshold: float) -> torch.Tensor:
    return (outputs > threshold).float().mean()


def one_argument(outputs: Tensor) -> Tensor:
    return outputs.mean()


class Largest:
    """A metric with the three methods."""

    def __init__(self) -> None:
        self.found = 0.0

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        self.found = max(self.found, float(outputs.max()))

    def compute(self) -> float:
        return self.found

    def reset(self) -> None:
        self.found = 0.0
