"""An evaluation leaves everything of the training as it was."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from experiments.distributed.team import ALONE, Team
from experiments.distributed.world import World
from experiments.models import SimpleNet
from experiments.training.evaluation import evaluate
from tests.made_tasks import classification
from tests.own_tasks import Remembering


class Counting(SimpleNet):
    """Counts the batches that it has seen in a buffer, and adds their number to its outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.seen += 1
        return super().forward(x) + self.seen


class Pair(Team):
    """One of two processes; the other has moved its buffers, and has zeros as outputs."""

    def __init__(self, rank: int, rows: int) -> None:
        super().__init__(World(rank, 2))
        self._zeros = torch.zeros(rows, 10)

    def gather(self, own: Tensor) -> Tensor:
        return torch.stack([own, torch.ones_like(own)])

    def gather_outputs(self, own: Tensor | None, device: torch.device) -> list[Tensor]:
        return [self._zeros if own is None else own]


@pytest.mark.parametrize("rank", [0, 1])
def test_buffers_that_an_evaluation_changes_are_those_of_one_process(digits, rank: int) -> None:
    found = []
    for team in (ALONE, Pair(rank, len(digits.test))):
        torch.manual_seed(0)
        model = Counting()
        (result,) = evaluate(
            models=[model],
            seeds=[0],
            task=classification(nn.CrossEntropyLoss()),
            split=digits.test,  # one batch, of rank 0
            limit_batches=None,
            after_batch=lambda: None,
            team=team,
        )
        found.append((result, float(model.seen)))
    assert found[0] == found[1]


def test_a_loss_with_a_state_keeps_it(digits) -> None:
    loss = Remembering()
    task, model = classification(loss), SimpleNet()
    loss(model(torch.randn(4, 1, 28, 28)), torch.arange(4))
    before = {name: value.clone() for name, value in loss.state_dict().items()}
    found = [
        evaluate(
            models=[model, model],
            seeds=[0, 0],
            task=task,
            split=digits.test,
            limit_batches=None,
            after_batch=lambda: None,
        )
        for _ in range(2)
    ]
    assert found[0] == found[1]
    assert found[0][0] == found[0][1]
    assert loss.training
    assert before.keys() == loss.state_dict().keys()
    for name, value in loss.state_dict().items():
        assert torch.equal(value, before[name])
