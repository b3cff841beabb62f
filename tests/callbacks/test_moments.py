"""Callbacks see metrics that they cannot change, and give weights that the model has."""

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
    def __init__(self, name: str, shape: tuple[int, ...]) -> None:
        self._given = {name: torch.zeros(shape)}

    def weights(self) -> dict[str, torch.Tensor]:
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


def test_metrics_cannot_be_changed(digits) -> None:
    training = PlainTraining(few(digits), {"own": Changing()})
    with pytest.raises(RunError, match=r"^callbacks\.own: Changing\.on_epoch_end raised TypeError"):
        training.run()


@pytest.mark.parametrize(("name", "shape"), [("missing", (1,)), ("weight", (9, 9))])
def test_weights_that_the_model_does_not_have_are_told(name: str, shape: tuple[int, ...]) -> None:
    moments = Moments({"own": Giving(name, shape)})
    said = rf"^callbacks\.own: Giving\.weights gives {name} of the shape .* by the names of"
    with pytest.raises(RunError, match=said), moments.evaluated_weights(nn.Linear(2, 2)):
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
