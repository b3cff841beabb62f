"""An evaluation leaves everything of the training as it was."""

from __future__ import annotations

import torch

from experiments.models import SimpleNet
from experiments.training.evaluation import evaluate
from tests.made_tasks import classification
from tests.own_tasks import Remembering


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
