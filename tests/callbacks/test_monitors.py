"""Gradient norms and learning rates are the numbers of a loop by hand; a resume changes none."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from experiments.callbacks import (
    Callback,
    ExponentialMovingAverage,
    GradientNorm,
    LearningRateMonitor,
)
from tests.callbacks.plain_training import PlainTraining, few


class ByHand(Callback):
    """Keeps the norm of all gradients, and the groups, before every step."""

    def __init__(self) -> None:
        self.norms: list[torch.Tensor] = []
        self.rates: list[float] = []
        self.momenta: list[float] = []

    def on_before_step(self, training) -> None:
        flat = torch.cat([each.grad.flatten() for each in training.model.parameters()])
        self.norms.append(flat.norm())
        (group,) = training.optimizer.param_groups
        self.rates.append(group["lr"])
        self.momenta.append(group["momentum"])


@pytest.mark.parametrize("bound", [None, 1e-3])
def test_norms_are_those_before_clipping(digits, bound) -> None:
    hand = ByHand()
    training = PlainTraining(few(digits), {"hand": hand, "norm": GradientNorm()})
    if bound is not None:
        training.clip = lambda: nn.utils.clip_grad_norm_(training.model.parameters(), bound)
    training.run()
    for epoch, logged in enumerate(training.logged):
        norms = torch.stack(hand.norms[6 * epoch : 6 * epoch + 6])
        assert logged["grad_norm"] == pytest.approx(float(norms.mean()), rel=1e-6)
        assert logged["grad_norm_max"] == pytest.approx(float(norms.max()), rel=1e-6)


def test_the_norm_of_a_step_is_torch_s_to_the_bit(digits) -> None:
    norms = []
    training = PlainTraining(few(digits), {"norm": GradientNorm()})
    training.clip = lambda: norms.append(
        nn.utils.get_total_norm([each.grad for each in training.model.parameters()])
    )
    training.run()
    assert training.logged[1]["grad_norm_max"] == float(max(norms[6:]))


def test_gradients_that_are_no_numbers_are_logged_as_such(digits) -> None:
    training = PlainTraining(few(digits), {"norm": GradientNorm()}, epochs=1)
    training.task.loss = lambda outputs, _: outputs.sum() * float("nan")
    training.run()
    assert all(value != value for value in training.logged[0].values())


def test_rates_are_those_of_the_first_step_of_an_epoch(digits) -> None:
    hand = ByHand()
    callbacks = {"hand": hand, "lr": LearningRateMonitor(momentum=True)}
    training = PlainTraining(few(digits), callbacks).run()
    assert training.logged == [
        {"lr/group_0": hand.rates[first], "momentum/group_0": hand.momenta[first]}
        for first in (0, 6)
    ]
    assert hand.momenta[0] != hand.momenta[6]


def test_every_group_has_a_rate(digits) -> None:
    training = PlainTraining(few(digits), {"lr": LearningRateMonitor()}, epochs=1)
    first, *others = training.model.parameters()
    groups = [{"params": [first], "lr": 0.5}, {"params": others, "betas": (0.8, 0.9)}]
    training.optimizer = torch.optim.AdamW(groups, lr=0.25)
    training.schedule = torch.optim.lr_scheduler.ConstantLR(training.optimizer, factor=1.0)
    training.run()
    assert training.logged == [{"lr/group_0": 0.5, "lr/group_1": 0.25}]


def test_a_state_in_the_middle_of_an_epoch_suffices(digits) -> None:
    def made() -> dict[str, Callback]:
        return {
            "ema": ExponentialMovingAverage(decay=0.9),
            "norm": GradientNorm(),
            "lr": LearningRateMonitor(momentum=True),
        }

    whole = PlainTraining(few(digits), made()).run()
    first = PlainTraining(few(digits), made()).run(stop_at=9)
    second = PlainTraining(few(digits), made())
    second.model.load_state_dict(first.model.state_dict())
    second.optimizer.load_state_dict(first.optimizer.state_dict())
    second.schedule.load_state_dict(first.schedule.state_dict())
    second.position = first.position
    second.run(states=first.moments.states())
    assert second.logged[1] == whole.logged[1]
    for name, average in whole.moments.weights(whole.model).items():
        assert torch.equal(second.moments.weights(second.model)[name], average)
