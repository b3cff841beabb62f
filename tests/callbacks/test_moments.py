"""Callbacks get metrics of their own, and give weights that the model has."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from experiments.callbacks import Callback, ExponentialMovingAverage
from experiments.callbacks.moments import Moments
from experiments.errors import RunError
from tests.callbacks.plain_training import PlainTraining, few


class Changing(Callback):
    def on_epoch_end(self, training, metrics) -> None:
        metrics["train_loss"] = 0.0


class Giving(Callback):
    def __init__(self, given) -> None:
        self._given = given

    def weights(self):
        return self._given


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(10, 10, bias=False)
        self.last = nn.Linear(10, 10, bias=False)
        self.last.weight = self.first.weight
        self.inner = nn.Linear(784, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        inner = self.inner(images.flatten(1)).relu()
        output: torch.Tensor = self.last(self.first(inner))
        return output


def test_changed_metrics_are_the_callback_s_own(digits) -> None:
    training = PlainTraining(few(digits), {"own": Changing()}).run()
    assert all(each["train_loss"] > 0 for each in training.logged)


WRONG = {
    "missing of the shape": {"missing": torch.zeros(1)},
    "weight of the shape": {"weight": torch.zeros(9, 9)},
    "a list as weight": {"weight": [1.0]},
    "a list": [torch.zeros(1)],
}


@pytest.mark.parametrize("said", WRONG)
def test_weights_that_the_model_does_not_have_are_told(said: str) -> None:
    moments = Moments({"own": Giving(WRONG[said])})
    line = rf"^callbacks\.own: Giving\.weights gives {said}.*; give tensors by the names"
    with pytest.raises(RunError, match=line), moments.evaluated_weights(nn.Linear(2, 2)):
        pass


def test_tied_weights_are_evaluated_under_each_of_their_names(digits) -> None:
    ema = ExponentialMovingAverage(decay=0.5)
    training = PlainTraining(few(digits), {"ema": ema}, model=Tied()).run()
    own = training.model.first.weight.clone()
    with training.moments.evaluated_weights(training.model):
        state = {name: value.clone() for name, value in training.model.state_dict().items()}
    assert torch.equal(state["first.weight"], state["last.weight"])
    assert not torch.equal(state["first.weight"], own)
    assert torch.equal(training.model.last.weight, own)
