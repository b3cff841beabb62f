"""Gradients by DistributedDataParallel follow the task, and refuse what would hang."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.distributed import HashStore, destroy_process_group, init_process_group

from experiments.distributed.team import ALONE
from experiments.errors import RunError
from experiments.tasks import Classification
from experiments.training.averaged import Averaged
from experiments.training.gradients import Autograd
from experiments.training.shared_batches import Buffers, Shards


@pytest.fixture(autouse=True)
def group() -> Iterator[None]:
    """The connections of one process with itself."""
    init_process_group("gloo", store=HashStore(), rank=0, world_size=1)
    yield
    destroy_process_group()


class Partial(nn.Module):
    """Uses its second layer only if asked to."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.uses_both = nn.Linear(4, 3), nn.Linear(3, 3), True

    def forward(self, x: Tensor) -> Tensor:
        found = self.first(x.flatten(1))
        return self.second(found) if self.uses_both else found


def averaged(model: nn.Module) -> tuple[Averaged, Classification]:
    task = Classification()
    task.loss = nn.CrossEntropyLoss()
    shards = Shards(1, ALONE, lambda _: None, Buffers(model, task))
    return Averaged(Autograd, model, task, shards, ALONE), task


def batch() -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    return torch.randn(6, 1, 2, 2), torch.arange(6) % 3


def test_a_parameter_without_a_gradient_is_named_before_an_exchange() -> None:
    model = Partial()
    gradients, _ = averaged(model)
    model.uses_both = False
    with pytest.raises(RunError, match=r"^trainer\.strategy=ddp: second\.weight has no gradient"):
        gradients.add(*batch(), 1)


@pytest.mark.parametrize(("before", "said"), [(True, "frozen"), (False, "freed")])
def test_a_change_of_the_trained_parameters_is_refused(before: bool, said: str) -> None:
    model = Partial()
    model.second.bias.requires_grad_(before)
    gradients, _ = averaged(model)
    gradients.add(*batch(), 1)
    gradients.complete()
    model.second.bias.requires_grad_(not before)
    with pytest.raises(RunError, match=rf"^trainer\.strategy=ddp: second\.bias was {said} in the"):
        gradients.add(*batch(), 1)


def test_a_loss_that_a_callback_gives_the_task_counts() -> None:
    gradients, task = averaged(Partial())
    first = gradients.add(*batch(), 1)
    gradients.complete()
    task.loss = nn.CrossEntropyLoss(label_smoothing=0.5)
    second = gradients.add(*batch(), 1)
    gradients.complete()
    assert first != second
