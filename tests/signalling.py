"""A user's parts that send signals to their own process at a moment set in the environment.

`SIGNALS=train:30:TERM,INT` sends SIGTERM and SIGINT in the 30th forward pass of the training.
"""

from __future__ import annotations

import os
import random
import signal
from collections import Counter

import numpy as np
import torch
from torch import nn

from experiments.data import Digits
from experiments.models import SimpleNet
from experiments.tracking.sender import Sender

_calls: Counter[str] = Counter()


def at(moment: str) -> None:
    place, _, rest = os.environ.get("SIGNALS", "").partition(":")
    if place == moment:
        count, _, names = rest.partition(":")
        _calls[moment] += 1
        if _calls[moment] == int(count):
            for name in names.split(","):
                os.kill(os.getpid(), getattr(signal, f"SIG{name}"))


def heeding(moment: str, function):
    def call(*arguments, **options):
        at(moment)
        return function(*arguments, **options)

    return call


at("import")
os.fsync = heeding("fsync", os.fsync)
Sender.wait = heeding("wait", Sender.wait)


class Model(SimpleNet):
    """Draws random numbers from all generators."""

    def __init__(self, **sizes):
        at("init")
        super().__init__(**sizes)

    def forward(self, x):
        at("train" if self.training else "evaluate")
        scale = 1 + random.gauss(0, 0.1) + float(np.random.randn()) / 10  # noqa: NPY002
        return nn.functional.dropout(super().forward(x * scale), 0.2, self.training)


class Momentum(torch.optim.Optimizer):
    """Momentum that steps one parameter after the other."""

    def __init__(self, params, lr):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for parameter in group["params"]:
                at("step")
                momentum = self.state[parameter].setdefault("m", torch.zeros_like(parameter))
                momentum.mul_(0.9).add_(parameter.grad)
                parameter.sub_(group["lr"] * momentum)


class Data(Digits):
    """Draws random noise, so its checksum covers the noisy data."""

    def __init__(self, *, root, train):
        at("data")
        super().__init__(root=root, train=train)
        self.data = self.data + random.randrange(20) + int(np.random.rand() * 20)  # noqa: NPY002
        self.sha256 = None


Data.__name__ = "Digits"  # the files of the digits carry this name
