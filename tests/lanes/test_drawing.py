"""A model that draws random numbers is refused as a lane, at any time and with any generator."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
import torch

from experiments.lanes.limits import _check_sameness
from experiments.lanes.stack import CannotStackError
from experiments.models import SimpleNet
from tests.lanes.conftest import Run, together
from tests.made_tasks import classification


class Drawing(SimpleNet):
    """Draws an unused random number in each pass, from a given pass on."""

    draw: Callable = random.random
    begins, passes = 0, 0

    def forward(self, x):
        self.passes += 1
        if self.training and self.passes > self.begins:
            type(self).draw()
        return super().forward(x)


class FromPython(Drawing):
    draw = random.random


class FromNumPy(Drawing):
    draw = np.random.rand


class Late(Drawing):
    begins = 60  # in the middle of the third epoch; an epoch has 24 passes


@pytest.mark.parametrize("model", [FromPython, FromNumPy])
def test_it_is_seen_before_a_stack_is_trained(model) -> None:
    images, labels = torch.randn(4, 1, 28, 28), torch.randint(10, (4,))
    with pytest.raises(CannotStackError, match="draws random numbers"):
        _check_sameness(model(), classification(), images, labels)


def test_one_that_draws_later_leaves_where_its_last_epoch_ended(digits) -> None:
    runs = [Run(digits, seed=seed, model=Late, epochs=5) for seed in (0, 1)]
    with pytest.raises(CannotStackError, match="draws random numbers"):
        together(*runs)
    for run in runs:
        assert (run.position.epoch, run.position.batches) == (3, 0)
        assert len(run.logged) == 2


def test_interrupted_in_an_epoch_in_which_it_drew_nothing_of_that_epoch_is_kept(digits) -> None:
    runs = [Run(digits, seed=seed, model=Late, epochs=5) for seed in (0, 1)]
    calls = []

    def stop() -> None:
        calls.append(1)
        if len(calls) == 70:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        together(*runs, after_batch=stop)
    assert {(run.position.epoch, run.position.batches) for run in runs} == {(3, 0)}
