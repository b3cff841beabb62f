"""Answers to drawings: the attribution's axiom, other images, and models that cannot answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from experiments.data.batches import normalise
from experiments.demo.page import page
from experiments.demo.recogniser import SIDE, Recogniser
from experiments.errors import InputError
from experiments.inference.trained import Trained
from experiments.tasks import Regression

DRAWING = np.zeros((SIDE, SIDE), np.uint8)
DRAWING[20:90, 50:60] = 255


def linear(trained: Trained, *shape: int) -> Trained:
    """Return a linear model of images of a shape."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(int(np.prod(shape)), 4))
    return replace(trained, model=model, shape=shape)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_parts_of_a_linear_model_add_up_to_what_the_ink_changed(
    trained: Trained, channels: int
) -> None:
    made = linear(trained, channels, 28, 28)
    answer = Recogniser([made])(DRAWING)
    seen = normalise(torch.from_numpy(answer.image)[None])
    weights = made.model[1].weight[answer.label].reshape(channels, 28, 28)
    parts = (weights * (seen[0] + 1)).sum(0).detach().numpy()
    assert answer.attribution == pytest.approx(parts / np.abs(parts).max(), abs=1e-5)
    assert np.abs(answer.attribution).max() == pytest.approx(1)
    change = made.model(seen)[0] - made.model(-torch.ones_like(seen))[0]
    assert parts.sum() == pytest.approx(change[answer.label].item(), abs=1e-4)


def test_an_empty_drawing_has_no_attribution(trained: Trained) -> None:
    assert not Recogniser([trained])(np.zeros_like(DRAWING)).attribution.any()


def test_runs_answer_together_by_the_mean_of_their_probabilities(trained: Trained) -> None:
    both = [linear(trained, 1, 28, 28), replace(linear(trained, 1, 28, 28), id="other")]
    nn.init.normal_(both[1].model[1].weight)
    each = [Recogniser([member])(DRAWING).probabilities for member in both]
    together = Recogniser(both)
    assert together(DRAWING).probabilities == pytest.approx(np.mean(each, axis=0), abs=1e-6)
    html = page(together).html
    assert "2 runs together" in html
    assert f"the probabilities of {trained.short}, other. Each alone: test accuracy" in html


def test_the_page_says_that_colours_are_drawn_grey(trained: Trained) -> None:
    said = "trained on colours; what you draw is grey"
    assert said in page(Recogniser([linear(trained, 3, 28, 28)])).html
    html = page(Recogniser([trained])).html
    assert said not in html
    assert f"Run {trained.short}, test accuracy " in html


def test_a_model_that_cannot_answer_is_refused(trained: Trained) -> None:
    with pytest.raises(InputError, match="name a run with task=classification"):
        Recogniser([replace(trained, task=Regression())])
    with pytest.raises(InputError, match=r"have 2 channels.*grey or coloured"):
        Recogniser([replace(trained, shape=(2, 28, 28))])
    with pytest.raises(InputError, match="model: to answer images"):
        Recogniser([replace(trained, model=nn.Linear(3, 3))])


def test_a_model_that_does_not_use_its_input_has_no_attribution(trained: Trained) -> None:
    class Constant(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.logits = nn.Parameter(torch.arange(3.0))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.logits.expand(len(x), -1)

    answer = Recogniser([replace(trained, model=Constant())])(DRAWING)
    assert (answer.label, answer.attribution.any()) == (2, False)
