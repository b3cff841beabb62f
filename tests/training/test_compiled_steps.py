"""Compiled steps have the bits of the steps in Python, and are used only where nothing watches."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import nn

from experiments.callbacks import Callback
from experiments.callbacks.moments import Moments
from experiments.data.batches import first_batch
from experiments.data.splits import Split
from experiments.models import SimpleNet
from experiments.process.signals import Interrupted
from experiments.tasks import Task
from experiments.training import compiled_steps, loop
from experiments.training.chain_gradients import chain_gradients
from experiments.training.compiled_steps import CompiledSteps
from experiments.training.gradients import Autograd
from experiments.training.loop import fit
from experiments.training.position import Position
from experiments.training.steps_library import library
from tests.lanes.conftest import adamw, sgd
from tests.training.test_chain_gradients import model_of, task_of

pytestmark = pytest.mark.skipif(
    not library().exists(), reason="the steps are not compiled: `experiments build`"
)


@pytest.fixture(autouse=True, params=[1, 2], ids=["one thread", "two threads"])
def threads(request: pytest.FixtureRequest) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that gets the number of batches of each compiled call after the trial."""
    counts: list[int] = []
    take = CompiledSteps.take

    def noting(self: CompiledSteps, *arguments: torch.Tensor) -> Iterator[int]:
        for count in take(self, *arguments):
            counts.append(count)
            yield count

    tried = compiled_steps._has_the_bits

    def trial(*arguments: object) -> bool:
        has_the_bits = tried(*arguments)
        counts.clear()
        return has_the_bits

    monkeypatch.setattr(CompiledSteps, "take", noting)
    monkeypatch.setattr(compiled_steps, "_has_the_bits", trial)
    return counts


def split_of(size: int = 500, shape: tuple[int, ...] = (28, 28)) -> Split:
    numbers = torch.Generator().manual_seed(0)
    images = torch.randint(256, (size, *shape), generator=numbers, dtype=torch.uint8)
    return Split(images, torch.randint(10, (size,), generator=numbers))


def watched(see: str) -> Moments:
    return Moments({"mine": type("Mine", (Callback,), {see: lambda *_: None})()})


def train(
    model: nn.Module,
    optimizer: Callable = sgd,
    split: Split | None = None,
    task: Task | None = None,
    position: Position | None = None,
    **others,
) -> list[torch.Tensor]:
    """Train a model, and return its losses, weights and the states of its optimizer."""
    split, task = split or split_of(), task or task_of(nn.CrossEntropyLoss())
    steps = optimizer(model.parameters()) if callable(optimizer) else optimizer
    gradients = chain_gradients(Autograd(model, task), *first_batch(split, 64))
    assert gradients is not None
    logged: list[float] = []
    arguments = {
        "schedule": torch.optim.lr_scheduler.ConstantLR(steps, factor=1.0),
        "schedule_interval": "epoch",
        "limit_batches": None,
        "log": lambda metrics, _: logged.append(metrics["train_loss"]),
        "after_epoch": lambda: None,
        "after_batch": lambda: None,
    }
    fit(
        model=model,
        task=task,
        optimizer=steps,
        train=split,
        validation=None,
        epochs=2,
        batch_size=64,
        seed=0,
        position=position or Position(),
        gradients=gradients,
        **arguments | others,
    )
    states = [value for each in steps.state.values() for value in each.values()]
    return [torch.tensor(logged), *model.parameters(), *filter(torch.is_tensor, states)]


def in_python(monkeypatch: pytest.MonkeyPatch, *arguments, **others) -> list[torch.Tensor]:
    with monkeypatch.context() as patched:
        patched.setattr(loop, "compiled_steps", lambda *_: None)
        return train(*arguments, **others)


def assert_same_bits(one: list[torch.Tensor], two: list[torch.Tensor]) -> None:
    assert all(torch.equal(*pair) for pair in zip(one, two, strict=True))


@pytest.mark.parametrize(
    ("model", "optimizer"),
    [
        (SimpleNet(), sgd),
        (SimpleNet(), adamw),
        (model_of(), lambda given: sgd(given, momentum=0.0, weight_decay=0.1)),
        (model_of(128, 64, 32, activation=nn.Tanh), lambda given: sgd(given, nesterov=True)),
        (model_of(600, 600, activation=nn.Sigmoid, bias=False), sgd),
        (model_of(4096), lambda given: adamw(given, amsgrad=True, maximize=True)),
    ],
    ids=["article", "adamw", "one layer", "deep", "wide", "a large last layer"],
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


def test_a_parameter_group_with_other_values_is_stepped_by_them(monkeypatch, taken) -> None:
    def grouped(model: SimpleNet) -> torch.optim.Optimizer:
        rates = {model.fc2: 0.1, model.fc1: 0.01}
        return sgd([{"params": part.parameters(), "lr": lr} for part, lr in rates.items()])

    model, other = SimpleNet(), SimpleNet()
    other.load_state_dict(model.state_dict())
    mine = train(model, grouped(model))
    assert not taken
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


def test_code_with_other_bits_is_not_used(monkeypatch, taken) -> None:
    other = compiled_steps._stepped

    def stepped(*told, python: int) -> list[torch.Tensor]:
        total, *rest = other(*told, python=python)
        return [total + python, *rest]

    monkeypatch.setattr(compiled_steps, "_stepped", stepped)
    train(SimpleNet())
    assert not taken
