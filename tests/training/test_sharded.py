"""Shards of a batch: their sum is the whole gradient, and each begins with the same state."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from experiments.distributed.team import ALONE
from experiments.errors import RunError
from experiments.randomness import random_state, seed_in_use
from experiments.tasks import Classification
from experiments.training.gradients import Autograd
from experiments.training.sharded import Sharded
from experiments.training.shared_batches import Buffers, Shards
from tests.own_models import Transposed

CPU = torch.device("cpu")


def task_with(loss: nn.Module) -> Classification:
    task = Classification()
    task.loss = loss
    return task


def sharded(model: nn.Module, task: Classification, shards: int) -> Sharded:
    cut = Shards(shards, ALONE, lambda n: seed_in_use(n, CPU), Buffers(model, task))
    return Sharded(Autograd(model, task), model, cut, ALONE)


def batch(size: int) -> tuple[Tensor, Tensor]:
    torch.manual_seed(size)
    return torch.randn(size, 1, 8, 8), torch.randint(10, (size,))


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    return Transposed(inputs=64, hidden=[16], classes=10)


@pytest.mark.parametrize("size", [64, 61, 5, 3, 1])  # 4 shards: equal, unequal, some empty
def test_the_sum_is_the_gradient_of_the_mean_over_the_batch(model: nn.Module, size: int) -> None:
    task = task_with(nn.CrossEntropyLoss())
    whole = copy.deepcopy(model)
    expected = Autograd(whole, task).add(*batch(size), 1)
    gradients = sharded(model, task, 4)
    loss = gradients.add(*batch(size), 1)
    gradients.complete()
    torch.testing.assert_close(loss, expected)
    for parameter, one in zip(model.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(parameter.grad, one.grad)
        assert parameter.grad is not None
        assert parameter.grad.stride() == parameter.stride()


def test_batches_of_a_step_are_averaged(model: nn.Module) -> None:
    task = task_with(nn.CrossEntropyLoss())
    whole = copy.deepcopy(model)
    plain, gradients = Autograd(whole, task), sharded(model, task, 4)
    expected = [plain.add(*batch(size), 2) for size in (64, 61)]
    losses = [gradients.add(*batch(size), 2) for size in (64, 61)]
    gradients.complete()
    torch.testing.assert_close(losses, expected)
    for parameter, one in zip(model.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(parameter.grad, one.grad)


def test_an_unused_parameter_has_no_gradient(model: nn.Module) -> None:
    model.register_parameter("unused", nn.Parameter(torch.ones(3)))
    gradients = sharded(model, task_with(nn.CrossEntropyLoss()), 2)
    gradients.add(*batch(8), 1)
    gradients.complete()
    assert [name for name, each in model.named_parameters() if each.grad is None] == ["unused"]


def test_a_parameter_that_a_callback_frees_later_is_summed(model: nn.Module) -> None:
    first = next(model.parameters()).requires_grad_(requires_grad=False)
    gradients, task = sharded(model, task_with(nn.CrossEntropyLoss()), 4), Classification()
    first.requires_grad_(requires_grad=True)
    task.loss, whole = nn.CrossEntropyLoss(), copy.deepcopy(model)
    Autograd(whole, task).add(*batch(64), 1)
    gradients.add(*batch(64), 1)
    gradients.complete()
    torch.testing.assert_close(first.grad, next(whole.parameters()).grad)


class Counting(nn.CrossEntropyLoss):
    """A loss that keeps the number of the examples that it has seen."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        self.seen += len(targets)
        return super().forward(outputs, targets)


def test_buffers_are_those_after_shard_0() -> None:
    model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64), nn.Linear(64, 10))
    images, labels = batch(9)
    alone, task = copy.deepcopy(model), task_with(Counting())
    Autograd(alone, task_with(nn.CrossEntropyLoss())).add(images[:3], labels[:3], 1)
    gradients = sharded(model, task, 4)
    gradients.add(images, labels, 1)
    gradients.complete()
    for own, expected in zip(model.buffers(), alone.buffers(), strict=True):
        assert torch.equal(own, expected)
    assert task.loss.seen == 3


class Keeping(nn.Module):
    """Creates or resizes a buffer in its forward pass."""

    def __init__(self, last: Tensor | None) -> None:
        super().__init__()
        self.register_buffer("last", last)
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))

    def forward(self, x: Tensor) -> Tensor:
        self.last = x.detach().clone()
        return self.body(x)


@pytest.mark.parametrize("last", [None, torch.zeros(1)])
@pytest.mark.parametrize("shards", [1, 4])
def test_a_buffer_of_another_shape_is_named(last: Tensor | None, shards: int) -> None:
    gradients = sharded(Keeping(last), task_with(nn.CrossEntropyLoss()), shards)
    with pytest.raises(RunError, match=r"^model\.last: a forward pass creates, removes or resizes"):
        gradients.add(*batch(8), 1)


def test_random_numbers_depend_on_the_shard_and_not_on_those_before() -> None:
    drawn: list[Tensor] = []

    def seed(shard: int) -> None:
        seed_in_use(100 + shard, CPU)

    shards = Shards(4, ALONE, seed, Buffers(nn.Identity()))
    shards.run(lambda _: drawn.append(torch.rand(3)))
    ended = random_state(CPU)
    shards.run(lambda shard: torch.rand(shard))
    again = random_state(CPU)
    assert all(map(torch.equal, ended, again))
    for shard, numbers in enumerate(drawn):
        seed_in_use(100 + shard, CPU)
        assert torch.equal(torch.rand(3), numbers)


def test_sparse_gradients_are_refused() -> None:
    model = nn.Sequential(nn.Embedding(4, 3, sparse=True), nn.Flatten(), nn.Linear(6, 10))
    gradients = sharded(model, task_with(nn.CrossEntropyLoss()), 2)
    with pytest.raises(RunError, match="sparse gradients, which shards cannot sum; set sparse="):
        gradients.add(torch.tensor([[0, 1], [2, 3]]), torch.tensor([1, 2]), 1)
