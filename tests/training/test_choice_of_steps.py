"""Steps are Python's where something watches them or changes more than numbers."""

from __future__ import annotations

import copy
from functools import partial

import pytest
import torch
from torch import nn

from experiments.callbacks import Callback
from experiments.callbacks.moments import Moments
from experiments.data.splits import Split
from experiments.models import SimpleNet
from experiments.training import compiled_steps
from tests.lanes.conftest import sgd
from tests.training.chain_runs import assert_same_bits, in_python, split_of, train
from tests.training.test_chain_gradients import model_of, task_of

pytestmark = pytest.mark.usefixtures("built")


def watched(see: str) -> Moments:
    return Moments({"mine": type("Mine", (Callback,), {see: lambda *_: None})()})


@pytest.mark.parametrize(
    "others",
    [
        {"accumulate": 2},
        {"clip": lambda: None},
        {"moments": watched("on_batch_end")},
        {"moments": watched("on_before_step")},
        {"schedule_interval": "batch"},
        {"task": task_of(nn.CrossEntropyLoss(label_smoothing=0.1))},
        {"task": task_of(nn.CrossEntropyLoss(torch.ones(10)))},
        {"optimizer": lambda given: sgd(given, fused=False)},
        {"optimizer": lambda given: torch.optim.Adam(given, fused=True)},
        {"split": Split(split_of().images.transpose(1, 2), split_of().labels)},
    ],
    ids=lambda others: next(iter(others)),
)
def test_steps_that_something_watches_are_in_python(taken, others) -> None:
    train(SimpleNet(), **others)
    assert not taken


def test_a_hook_that_comes_later_is_called(taken) -> None:
    model, calls = SimpleNet(), []

    def after_epoch() -> None:
        if not calls:
            model.fc1.register_forward_hook(lambda *_: calls.append(1))

    train(model, after_epoch=after_epoch)
    assert sum(taken) == 8 - 2
    assert len(calls) == 8


def test_a_parameter_group_with_other_values_is_stepped_by_them(monkeypatch, taken, caplog) -> None:
    def grouped(model: SimpleNet) -> torch.optim.Optimizer:
        rates = {model.fc2: 0.1, model.fc1: 0.01}
        return sgd([{"params": part.parameters(), "lr": lr} for part, lr in rates.items()])

    model, other = SimpleNet(), SimpleNet()
    other.load_state_dict(model.state_dict())
    mine = train(model, grouped(model))
    assert not taken
    assert not caplog.text
    assert_same_bits(mine, in_python(monkeypatch, other, grouped(other)))


def test_a_schedule_changes_the_rate_of_the_next_epoch(monkeypatch, taken) -> None:
    def scheduled(model: nn.Module) -> tuple:
        steps = sgd(model.parameters())
        return steps, torch.optim.lr_scheduler.StepLR(steps, 1, gamma=0.1)

    model = SimpleNet()
    other = copy.deepcopy(model)
    (mine, schedule), (its, another) = scheduled(model), scheduled(other)
    found = train(model, mine, schedule=schedule)
    assert taken
    assert_same_bits(found, in_python(monkeypatch, other, its, schedule=another))


def test_a_loss_that_is_smoothed_later_is_obeyed(monkeypatch) -> None:
    found = []
    for run in (train, partial(in_python, monkeypatch)):
        torch.manual_seed(0)
        task = task_of(nn.CrossEntropyLoss())
        smooth = partial(setattr, task.loss, "label_smoothing", 0.2)
        found.append(run(SimpleNet(), task=task, after_epoch=smooth))
    assert_same_bits(*found)


def test_layers_that_share_a_weight_later_step_it_once(monkeypatch) -> None:
    found = []
    for run in (train, partial(in_python, monkeypatch)):
        model = model_of(16, 16, 16)
        first, second = [part for part in model if getattr(part, "in_features", 0) == 16][:2]
        tie = partial(setattr, second, "weight", first.weight)
        found.append(run(model, after_epoch=tie))
    assert_same_bits(*found)


def test_gradients_that_a_trial_has_left_do_not_count() -> None:
    found = []
    for is_left in (True, False):
        torch.manual_seed(0)
        model = SimpleNet()
        if is_left:
            model.fc1.weight.grad = torch.ones_like(model.fc1.weight)
        found.append(train(model))
    assert_same_bits(*found)


class Own(torch.optim.SGD):
    def __init__(self, parameters) -> None:
        super().__init__(parameters, lr=0.01)
        self.scale = 0.5

    def step(self, closure=None):
        self.param_groups[0]["lr"] *= self.scale
        return super().step(closure)


def test_an_optimizer_of_one_s_own_steps_itself(taken) -> None:
    steps = Own((model := SimpleNet()).parameters())
    train(model, steps)
    assert not taken
    assert steps.param_groups[0]["lr"] < 1e-5


def test_code_with_other_bits_is_not_used_and_it_is_said(monkeypatch, taken, caplog) -> None:
    other = compiled_steps._stepped

    def stepped(*told, python: int) -> list[torch.Tensor]:
        total, *rest = other(*told, python=python)
        return [total + python, *rest]

    monkeypatch.setattr(compiled_steps, "_stepped", stepped)
    train(SimpleNet())
    assert not taken
    assert "round otherwise than Python's" in caplog.text
