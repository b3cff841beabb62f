"""A lane of any task gives the result that its run gives alone, or says why it cannot."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from experiments.data.splits import hold_out
from experiments.lanes.limits import _check_sameness
from experiments.lanes.stack import CannotStackError
from experiments.models import ConvNet, SimpleNet
from experiments.tasks import Accuracy, OfAllExamples, Regression
from tests.lanes.conftest import Run, together
from tests.made_tasks import classification, task
from tests.own_tasks import Autoencoder, Focal, Remembering


def error(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return (outputs - targets).abs().mean()


def smooth(share: float = 0.1):
    return classification(nn.CrossEntropyLoss(label_smoothing=share))


def weighted():
    return classification(nn.CrossEntropyLoss(weight=torch.arange(1.0, 11.0)))


def focal():
    return classification(Focal(), {"accuracy": Accuracy(), "error": OfAllExamples(argmax_error)})


def argmax_error(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return (outputs.argmax(1) - targets).abs().float().mean()


def regression():
    return task(Regression(), nn.MSELoss(), {"mae": OfAllExamples(error)})


def autoencoder():
    return task(Autoencoder(), F.smooth_l1_loss, {"mae": OfAllExamples(error)})


TASKS = {
    "label smoothing": (smooth, SimpleNet),
    "label smoothing, by vmap": (smooth, ConvNet),
    "class weights": (weighted, SimpleNet),
    "own loss": (focal, SimpleNet),
    "regression": (regression, partial(SimpleNet, classes=1)),
    "autoencoder": (autoencoder, partial(SimpleNet, classes=784)),
}


@pytest.mark.parametrize(("made", "model"), TASKS.values(), ids=TASKS)
def test_a_lane_is_the_run_alone(digits, made, model) -> None:
    slow = {"lr": 0.001}
    settings = [{"seed": 0, "options": slow}, {"seed": 0}, {"seed": 1, "options": slow}]
    lanes, alone = (
        [
            Run(hold_out(digits, 200, seed=0), task=made, model=model, epochs=2, **setting)
            for setting in settings
        ]
        for _ in range(2)
    )
    together(*lanes)
    for lane, run in zip(lanes, alone, strict=True):
        run.alone()
        assert lane.losses == pytest.approx(run.losses, rel=1e-4)
        torch.testing.assert_close(lane.weights(), run.weights(), rtol=1e-3, atol=1e-4)
        for mine, its in zip(lane.logged, run.logged, strict=True):
            assert mine.keys() == its.keys()
            assert mine["val_loss"] == pytest.approx(its["val_loss"], rel=1e-3)


class Branching(nn.Module):
    """Looks at values, as no loss can for all lanes at once."""

    def forward(self, outputs, targets):
        loss = F.cross_entropy(outputs, targets)
        return loss if loss > 1 else 2 * loss


@pytest.mark.parametrize(
    ("loss", "reason"),
    [(Branching(), "model or loss cannot be stacked"), (Remembering(), "cannot be stacked|state")],
)
def test_a_loss_that_cannot_be_stacked_is_said(loss, reason: str) -> None:
    images, labels = torch.randn(4, 1, 28, 28), torch.randint(10, (4,))
    with pytest.raises(CannotStackError, match=reason):
        _check_sameness(SimpleNet(), classification(loss), images, labels)
