"""A lane gives the result that its run gives alone, with any neighbours."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn

from experiments.data.splits import hold_out
from experiments.lanes.stack import CannotStackError, layouts_of
from experiments.models import ConvNet, SimpleNet
from experiments.training.position import Position
from tests.lanes.conftest import Normed, Run, adamw, onecycle, sgd, together
from tests.made_tasks import classification

SETTINGS = {
    "learning rates": [{"options": {"lr": lr}} for lr in (0.005, 0.01, 0.05)],
    "seeds": [{"seed": seed} for seed in (0, 1, 2)],
    "options of SGD": [
        {"options": {"momentum": 0.0}},
        {"options": {"weight_decay": 0.01, "nesterov": True}},
        {"options": {"dampening": 0.5}, "seed": 1},
        {"options": {"fused": False}},
    ],
    "optimizers": [{"optimizer": adamw}, {"optimizer": sgd}, {"optimizer": torch.optim.RMSprop}],
    "schedules": [{"schedule": onecycle}, {"schedule": onecycle, "seed": 3}, {}],
    "numbers of epochs": [{"epochs": 1}, {"epochs": 3}, {"epochs": 2}],
    "a user's model": [{"model": Normed, "seed": seed} for seed in (0, 1)],
    "convolutions": [{"model": ConvNet, "seed": seed, "epochs": 1} for seed in (0, 1)],
}


def assert_close(lane: Run, alone: Run) -> None:
    assert lane.losses == pytest.approx(alone.losses, rel=1e-4)
    assert len(lane.losses) == lane.epochs
    torch.testing.assert_close(lane.weights(), alone.weights(), rtol=1e-3, atol=1e-4)


@pytest.mark.row("determinism")
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_a_lane_is_the_run_alone(digits, settings) -> None:
    lanes = [Run(digits, **setting) for setting in settings]
    together(*lanes)
    for lane, setting in zip(lanes, settings, strict=True):
        alone = Run(digits, **setting).alone()
        assert_close(lane, alone)
        assert lane.steps.state_dict()["param_groups"] == alone.steps.state_dict()["param_groups"]


def test_validation_splits_of_their_own(digits) -> None:
    lanes = [Run(hold_out(digits, 200, seed=seed), seed=seed) for seed in (0, 1, 0)]
    together(*lanes)
    alone = Run(hold_out(digits, 200, seed=1), seed=1).alone()
    assert_close(lanes[1], alone)
    for mine, theirs in zip(lanes[1].logged, alone.logged, strict=True):
        assert mine["val_loss"] == pytest.approx(theirs["val_loss"], rel=1e-4)
        assert mine["val_accuracy"] == pytest.approx(theirs["val_accuracy"], abs=0.006)


def test_order_and_number_of_lanes_change_no_bit(digits) -> None:
    def lanes(*seeds: int) -> dict[int, Run]:
        runs = {seed: Run(digits, seed=seed) for seed in seeds}
        together(*runs.values())
        return runs

    few, many, turned = lanes(0, 1), lanes(0, 1, 2, 3, 4), lanes(4, 3, 1, 0, 2)
    for seed in (0, 1):
        assert torch.equal(few[seed].weights(), many[seed].weights())
        assert torch.equal(few[seed].weights(), turned[seed].weights())
        assert few[seed].losses == many[seed].losses == turned[seed].losses


@pytest.mark.row("determinism")
@pytest.mark.parametrize("model", [SimpleNet, ConvNet, Normed])
def test_a_lane_that_is_nan_never_touches_its_neighbours(digits, model) -> None:
    def lanes() -> list[Run]:
        return [Run(digits, seed=seed, model=model, epochs=1) for seed in (0, 1, 2)]

    well, ill = lanes(), lanes()
    with torch.no_grad():
        next(ill[1].module.parameters()).fill_(math.nan)
    together(*well)
    together(*ill)
    assert math.isnan(ill[1].losses[0])
    for number in (0, 2):
        assert torch.equal(ill[number].weights(), well[number].weights())
        assert ill[number].losses == well[number].losses


def test_a_lane_that_stops_leaves_and_the_others_go_on(digits) -> None:
    stopping, other, third = (Run(digits, seed=seed) for seed in (0, 1, 2))

    def stop(*_) -> None:
        stopping.position.stopped = True

    stopping.log = stop
    left = together(stopping, other, third)
    assert left == [[stopping], [other, third]]
    assert stopping.position.epoch == 2
    assert_close(other, Run(digits, seed=1).alone())


def test_lanes_leave_when_their_epochs_are_trained(digits) -> None:
    runs = [Run(digits, seed=seed, epochs=epochs) for seed, epochs in enumerate((2, 1, 2))]
    assert together(*runs) == [[runs[1]], [runs[0], runs[2]]]
    done = Run(digits, seed=9)
    done.position.epoch = 4
    assert together(done, Run(digits))[0] == [done]


def interrupted(runs: list[Run], batches: int) -> None:
    calls = []

    def stop() -> None:
        calls.append(1)
        if len(calls) == batches:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        together(*runs, after_batch=stop)


def taken_up(run: Run) -> Run:
    """Return new objects, restored from a run's states only."""
    new = Run(run.splits, seed=run.seed, epochs=run.epochs)
    new.module.load_state_dict(copy.deepcopy(run.module.state_dict()))
    new.steps.load_state_dict(copy.deepcopy(run.steps.state_dict()))
    new.scheduler.load_state_dict(run.scheduler.state_dict())
    new.position = Position(**vars(run.position))
    new.logged = list(run.logged)
    return new


@pytest.mark.parametrize("batches", [5, 24, 31])
def test_a_stack_taken_up_ends_with_the_same_bits(digits, batches: int) -> None:
    whole = [Run(digits, seed=seed) for seed in (0, 1, 2)]
    together(*whole)
    parts = [Run(digits, seed=seed) for seed in (0, 1, 2)]
    interrupted(parts, batches)
    again = [taken_up(run) for run in parts]
    together(*again)
    for mine, theirs in zip(again, whole, strict=True):
        assert torch.equal(mine.weights(), theirs.weights())
        assert mine.losses == theirs.losses


def test_a_lane_goes_on_alone_and_a_run_goes_on_as_a_lane(digits) -> None:
    first = [Run(digits, seed=seed) for seed in (0, 1)]
    interrupted(first, 30)
    assert first[0].position.batches == 6
    alone = taken_up(first[0]).alone()
    assert_close(alone, Run(digits, seed=0).alone())

    begun = Run(digits, seed=2, epochs=1).alone()
    begun.epochs = 3
    lane = taken_up(begun)
    # The neighbour stands in the middle of an epoch, which is finished first.
    together(lane, taken_up(first[1]))
    assert_close(lane, Run(digits, seed=2).alone())


class Random(nn.Linear):
    def forward(self, x):
        return super().forward(nn.functional.dropout(x.flatten(1), training=self.training))


class Branching(nn.Linear):
    def forward(self, x):
        x = super().forward(x.flatten(1))
        return x if x.sum() > 0 else -x


@pytest.mark.parametrize(
    ("model", "reason"), [(Random, "draws random numbers"), (Branching, "cannot be stacked")]
)
def test_what_cannot_be_stacked_is_said(digits, model, reason: str) -> None:
    models = [model(784, 10) for _ in range(2)]
    images, labels = torch.randn(4, 1, 28, 28), torch.randint(10, (4,))
    with pytest.raises(CannotStackError, match=reason):
        layouts_of(models, classification(), images, labels)


def test_the_model_s_own_way_is_vmap_s() -> None:
    torch.manual_seed(0)
    models = [SimpleNet(hidden=(20, 16)) for _ in range(3)]
    weights = {
        name: torch.stack([dict(model.named_parameters())[name].detach() for model in models])
        for name, _ in models[0].named_parameters()
    }
    images = torch.randn(3, 8, 1, 28, 28)
    each = torch.stack([model(x) for model, x in zip(models, images, strict=True)])
    torch.testing.assert_close(SimpleNet.forward_stacked(weights, images), each)
    shared = torch.stack([model(images[0]) for model in models])
    torch.testing.assert_close(SimpleNet.forward_stacked(weights, images[0]), shared)
