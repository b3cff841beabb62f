"""Short trainings of chains of linear layers, on made-up images."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from experiments.data.batches import first_batch
from experiments.data.splits import Split
from experiments.tasks import Task
from experiments.training import loop
from experiments.training.chain_gradients import chain_gradients
from experiments.training.compiled_steps import _have_equal_bits
from experiments.training.gradients import Autograd
from experiments.training.loop import fit
from experiments.training.position import Position
from tests.lanes.conftest import sgd
from tests.training.test_chain_gradients import task_of


def split_of(size: int = 500, shape: tuple[int, ...] = (28, 28)) -> Split:
    numbers = torch.Generator().manual_seed(0)
    images = torch.randint(256, (size, *shape), generator=numbers, dtype=torch.uint8)
    return Split(images, torch.randint(10, (size,), generator=numbers))


def train(
    model: nn.Module,
    optimizer: Callable = sgd,
    split: Split | None = None,
    task: Task | None = None,
    position: Position | None = None,
    **others,
) -> list[torch.Tensor]:
    """Train a model, and return its losses, weights and the states of its optimizer."""
    split, task = split or split_of(), task or task_of(nn.CrossEntropyLoss())
    steps = optimizer(model.parameters()) if callable(optimizer) else optimizer
    gradients = chain_gradients(Autograd(model, task), *first_batch(split, 64))
    assert gradients is not None
    logged: list[float] = []
    arguments = {
        "schedule": torch.optim.lr_scheduler.ConstantLR(steps, factor=1.0),
        "schedule_interval": "epoch",
        "limit_batches": None,
        "log": lambda metrics, _: logged.append(metrics["train_loss"]),
        "after_epoch": lambda: None,
        "after_batch": lambda: None,
        "batch_size": 64,
    }
    fit(
        model=model,
        task=task,
        optimizer=steps,
        train=split,
        validation=None,
        epochs=2,
        seed=0,
        position=position or Position(),
        gradients=gradients,
        **arguments | others,
    )
    states = [value for each in steps.state.values() for value in each.values()]
    return [torch.tensor(logged), *model.parameters(), *filter(torch.is_tensor, states)]


def in_python(monkeypatch: pytest.MonkeyPatch, *arguments, **others) -> list[torch.Tensor]:
    with monkeypatch.context() as patched:
        patched.setattr(loop, "compiled_steps", lambda *_: None)
        return train(*arguments, **others)


def assert_same_bits(one: list[torch.Tensor], two: list[torch.Tensor]) -> None:
    assert all(map(_have_equal_bits, one, two))
    assert len(one) == len(two)
