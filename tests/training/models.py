"""Chains of linear layers, and models that resemble one and do more."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SEEN: list[int] = []


class Net(nn.Module):
    """The article's network; tests override `forward`."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(784, 16), nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.relu(self.fc1(x.view(-1, 784))))


class Stored(Net):
    """Keeps a number of its own, and builds its layers in a container."""

    def __init__(self) -> None:
        super().__init__()
        self.pixels = 784
        self.first, self.rest = nn.Sequential(nn.Linear(784, 8), nn.ReLU()), nn.Linear(8, 4)
        del self.fc1, self.fc2

    def forward(self, x: Tensor) -> Tensor:
        return self.rest(self.first(x.view(-1, self.pixels)))


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


class Noisy(Net):
    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            x = x + torch.randn_like(x)
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


class Skipping(Net):
    def forward(self, x: Tensor) -> Tensor:
        hidden = self.fc1(x.flatten(1))
        if torch.rand(()) < 0.5:
            hidden = F.relu(hidden)
        return self.fc2(hidden)


class Dropping(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.dropout(F.relu(self.fc1(x.flatten(1))), training=self.training))


class Helped(Net):
    def forward(self, x: Tensor) -> Tensor:
        self.note()
        return self.fc2(F.relu(self.fc1(x.flatten(1))))

    def note(self) -> None:
        SEEN.append(len(SEEN))


class Inheriting(Net):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)


class OfClass(Net):
    seen: ClassVar[list[int]] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(1)
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


STEPS = torch.zeros(())


class Tensing(Net):
    def forward(self, x: Tensor) -> Tensor:
        STEPS.add_(1)
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


class Importing(Net):
    def forward(self, x: Tensor) -> Tensor:
        import torch.nn.functional as own

        return self.fc2(own.relu(self.fc1(x.flatten(1))))


def closing() -> nn.Module:
    seen: ClassVar[list[int]] = []

    class Closing(Net):
        def forward(self, x: Tensor) -> Tensor:
            seen.append(1)
            return self.fc2(F.relu(self.fc1(x.flatten(1))))

    return Closing()


class Viewing(Net):
    """Has a method with the name of a tensor's."""

    def view(self, x: Tensor) -> Tensor:
        SEEN.append(len(SEEN))
        return x

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.relu(self.fc1(self.view(x).flatten(1))))


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
