"""A user's own models and optimizer; each has a state that is hard to resume."""

from __future__ import annotations

import random

import numpy as np
import torch
from torch import nn

from experiments.models import SimpleNet


class Dropping(SimpleNet):
    """Draws from torch's global generator in every training step."""

    def forward(self, x):
        return nn.functional.dropout(super().forward(x), 0.2, self.training)


class Transposed(SimpleNet):
    """Its first weight, with gradient and momentum, lies in memory column by column."""

    def __init__(self, **sizes):
        super().__init__(**sizes)
        first = next(module for module in self.modules() if isinstance(module, nn.Linear))
        first.weight = nn.Parameter(first.weight.detach().t().contiguous().t())


class Master(torch.optim.Optimizer):
    """Keeps the weights in a higher precision than the model does."""

    def __init__(self, params, lr):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for parameter in group["params"]:
                state = self.state[parameter]
                state.setdefault("master", parameter.detach().double())
                state["master"] -= group["lr"] * parameter.grad.double()
                parameter.copy_(state["master"])


class Blind(SimpleNet):
    """Returns NaN in evaluations, but not for the two images of the check before training."""

    def forward(self, x):
        return super().forward(x) * (1 if self.training or len(x) == 2 else float("nan"))


class Exploding(SimpleNet):
    """Its loss is NaN from the second epoch on."""

    calls = 0

    def forward(self, x):
        self.calls += self.training
        return super().forward(x) * (float("nan") if self.calls > 24 else 1)


class Drawing(SimpleNet):
    """Draws from Python's and NumPy's generators in every forward pass."""

    def __init__(self, **sizes):
        super().__init__(**sizes)
        self.scale = 1 + random.random() + float(np.random.rand())  # noqa: NPY002

    def forward(self, x):
        noise = random.gauss(0, 0.1) + float(np.random.randn()) / 10  # noqa: NPY002
        return super().forward(x * self.scale + noise) + torch.rand(1)
