"""Compiled steps have the bits of the steps in Python."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from experiments.data.splits import Split
from experiments.models import SimpleNet
from experiments.process.signals import Interrupted
from experiments.training.position import Position
from tests.lanes.conftest import adamw, sgd
from tests.training.chain_runs import assert_same_bits, in_python, split_of, train
from tests.training.test_chain_gradients import model_of

pytestmark = pytest.mark.usefixtures("built", "threads")


@pytest.mark.parametrize(
    ("model", "optimizer"),
    [
        (SimpleNet(), sgd),
        (SimpleNet(), adamw),
        (model_of(), lambda given: sgd(given, momentum=0.0, weight_decay=0.1)),
        (model_of(128, 64, 32, activation=nn.Tanh), lambda given: sgd(given, nesterov=True)),
        (model_of(600, 600, activation=nn.Sigmoid, bias=False), sgd),
        (SimpleNet(), lambda given: sgd(given, lr=1e20)),
        (model_of(4096), lambda given: adamw(given, amsgrad=True, maximize=True)),
    ],
    ids=["article", "adamw", "one layer", "deep", "wide", "NaN", "a large last layer"],
)
def test_the_bits_are_those_of_python(monkeypatch, taken, model, optimizer) -> None:
    mine = train(copy.deepcopy(model), optimizer)
    assert sum(taken) >= 2 * (8 - 2), "the first steps of each epoch are Python's"
    assert_same_bits(mine, in_python(monkeypatch, copy.deepcopy(model), optimizer))


@pytest.mark.parametrize(
    ("split", "limit"),
    [
        (split_of(512), None),
        (split_of(65), None),
        (split_of(64), None),
        (split_of(10), None),
        (split_of(500), 3),
        (split_of(500, (3, 5, 7)), None),
        (Split(split_of(500).images, split_of(500).labels, torch.arange(400, 40, -1)), None),
    ],
    ids=["whole", "one more", "one batch", "less", "limited", "colours", "held out"],
)
def test_every_batch_is_taken_once(monkeypatch, taken, split: Split, limit: int | None) -> None:
    width = split.images[0].numel()
    model = nn.Sequential(nn.Flatten(), nn.Linear(width, 16), nn.ReLU(), nn.Linear(16, 10))
    mine, position = copy.deepcopy(model), Position()
    found = train(mine, split=split, limit_batches=limit, position=position)
    assert_same_bits(found, in_python(monkeypatch, model, split=split, limit_batches=limit))
    batches = limit or -(-len(split) // 64)
    assert sum(taken) == max(batches - 2, 0) + batches - 1
    assert position.steps == 2 * batches


@pytest.mark.parametrize("batch_size", [7, 10, 50])
@pytest.mark.parametrize("shape", [(3, 5, 7), (25, 25), (28, 28)])
def test_the_places_of_batches_in_memory_do_not_matter(
    monkeypatch, batch_size: int, shape: tuple[int, ...]
) -> None:
    """Rows of 105 and 625 numbers begin at no multiple of a vector's width."""
    split, sizes = split_of(300, shape), {"batch_size": batch_size}
    width = split.images[0].numel()
    model = nn.Sequential(nn.Flatten(), nn.Linear(width, 700), nn.Sigmoid(), nn.Linear(700, 10))
    mine = train(copy.deepcopy(model), split=split, **sizes)
    assert_same_bits(mine, in_python(monkeypatch, copy.deepcopy(model), split=split, **sizes))
    position, steps = Position(), sgd(model.parameters())

    def stop() -> None:
        if position.batches == 3:
            raise Interrupted(15)

    with pytest.raises(Interrupted):
        in_python(monkeypatch, model, steps, split, position=position, after_batch=stop, **sizes)
    resumed = in_python(monkeypatch, model, steps, split, position=position, **sizes)
    assert_same_bits(mine, resumed)


def test_stopped_in_an_epoch_it_goes_on_to_the_same_bits(taken) -> None:
    model = SimpleNet()
    other, position = copy.deepcopy(model), Position()
    steps = sgd(model.parameters())

    def stop() -> None:
        if position.batches >= 3:
            raise Interrupted(15)

    split = split_of(64 * 20)
    with pytest.raises(Interrupted):
        train(model, steps, split, position=position, after_batch=stop)
    assert 3 <= position.batches == position.steps < 20
    resumed = train(model, steps, split, position=position)
    assert_same_bits(resumed, train(other, split=split))
