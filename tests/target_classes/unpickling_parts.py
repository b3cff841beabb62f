"""A user's module with parts that have torch load any object from `$PICKLED`."""

from __future__ import annotations

import os

import torch
from torch import Tensor, nn

from experiments.callbacks import Callback


def unpickle() -> None:
    torch.load(os.environ["PICKLED"], weights_only=False)


class Model(nn.Linear):
    def __init__(self) -> None:
        unpickle()
        super().__init__(64, 10)


def made() -> nn.Module:
    return Model()


class Loss(nn.CrossEntropyLoss):
    def __init__(self) -> None:
        unpickle()
        super().__init__()


class Metric:
    def __init__(self) -> None:
        unpickle()

    def update(self, outputs: Tensor, targets: Tensor) -> None: ...

    def compute(self) -> float:
        return 0.0

    def reset(self) -> None: ...


class Watching(Callback):
    def __init__(self) -> None:
        unpickle()


class Optimizer(torch.optim.SGD):
    def __init__(self, params: list[Tensor], lr: float = 0.1) -> None:
        unpickle()
        super().__init__(params, lr)


class Schedule(torch.optim.lr_scheduler.ConstantLR):
    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        unpickle()
        super().__init__(optimizer)
