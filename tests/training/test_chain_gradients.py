"""The written-out gradients of a chain agree with autograd's, on any number of threads."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import nullcontext

import pytest
import torch
from torch import Tensor, nn

from experiments.models import ConvNet, SimpleNet
from experiments.tasks import Classification, Regression, Task
from experiments.threads import ThreadChoice, threads_for
from experiments.training.chain_gradients import ChainGradients, chain_gradients
from experiments.training.gradients import Autograd, Gradients


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def task_of(loss: nn.Module, kind: type[Task] = Classification) -> Task:
    task = kind()
    task.loss, task.metrics = loss, {}
    return task


def batch(size: int = 64, pixels: int = 28, seed: int = 0) -> tuple[Tensor, Tensor]:
    numbers = torch.Generator().manual_seed(seed)
    images = torch.rand(size, 1, pixels, pixels, generator=numbers)
    return images, torch.randint(10, (size,), generator=numbers)


def model_of(*hidden: int, activation: type[nn.Module] = nn.ReLU, bias: bool = True) -> nn.Module:
    torch.manual_seed(0)
    widths = [784, *hidden]
    parts: list[nn.Module] = [nn.Flatten()]
    for inputs, outputs in zip(widths, hidden, strict=False):
        parts += [nn.Linear(inputs, outputs, bias=bias), activation()]
    return nn.Sequential(*parts, nn.Linear(widths[-1], 10, bias=bias))


def made(model: nn.Module, task: Task, images: Tensor, labels: Tensor) -> ChainGradients | None:
    return chain_gradients(Autograd(model, task), images, labels)


def gradients_of(model: nn.Module, gradients: Gradients, *batches: tuple[Tensor, Tensor]):
    losses = [gradients.add(*each, len(batches)) for each in batches]
    found = [each.grad for each in model.parameters()]
    model.zero_grad()
    return [*losses, *found]


@pytest.mark.parametrize(
    ("model", "loss", "kind"),
    [
        (model_of(128), nn.CrossEntropyLoss(), Classification),
        (model_of(128, 64, 32), nn.CrossEntropyLoss(label_smoothing=0.1), Classification),
        (model_of(20, activation=nn.Tanh, bias=False), nn.CrossEntropyLoss(), Classification),
        (model_of(20, activation=nn.Sigmoid), nn.MultiMarginLoss(), Classification),
        (nn.Sequential(nn.Flatten(), nn.Linear(784, 1)), nn.MSELoss(), Regression),
        (SimpleNet(), nn.CrossEntropyLoss(torch.rand(10)), Classification),
    ],
    ids=["article", "smoothing", "tanh", "sigmoid", "regression", "weighted"],
)
def test_agrees_with_autograd(model: nn.Module, loss: nn.Module, kind: type[Task]) -> None:
    task, other = task_of(loss, kind), copy.deepcopy(model)
    chain = made(model, task, *batch())
    assert isinstance(chain, ChainGradients)
    for sizes in ((64,), (1,), (64, 32, 7)):
        batches = [batch(size, seed=size) for size in sizes]
        mine = gradients_of(model, chain, *batches)
        its = gradients_of(other, Autograd(other, task), *batches)
        for one, two in zip(mine, its, strict=True):
            torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-6)
            assert not one.requires_grad


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Sigmoid, nn.Tanh])
@pytest.mark.parametrize("hidden", [(128,), (33, 17), (300, 100), (700,), ()])
def test_the_bits_are_equal_on_any_number_of_threads(
    monkeypatch, hidden: tuple[int, ...], activation: type[nn.Module]
) -> None:
    monkeypatch.setattr(ThreadChoice, "call", lambda _, function, *given: function(*given))
    model, task = model_of(*hidden, activation=activation), task_of(nn.CrossEntropyLoss())
    found = []
    for threads in (1, 2, 3, 4):
        torch.set_num_threads(threads)
        chain = made(model, task, *batch())
        assert chain is not None
        found.append([gradients_of(model, chain, batch(size)) for size in (64, 50, 100)])
    for other in found[1:]:
        for mine, its in zip(found[0], other, strict=True):
            assert all(map(torch.equal, mine, its))


def test_a_callback_that_hooks_or_freezes_is_obeyed() -> None:
    model, task, calls = SimpleNet(), task_of(nn.CrossEntropyLoss()), []
    chain = made(model, task, *batch())
    assert chain is not None
    handle = model.fc1.register_forward_hook(lambda *_: calls.append(1))
    gradients_of(model, chain, batch())
    handle.remove()
    assert len(calls) == 1
    with torch.no_grad():
        handle = model.fc1.weight.register_hook(lambda gradient: gradient * 2)
    doubled = gradients_of(model, chain, batch())[1]
    handle.remove()
    torch.testing.assert_close(doubled, 2 * gradients_of(model, chain, batch())[1])
    model.fc2.bias.requires_grad_(False)
    assert gradients_of(model, chain, batch())[-1] is None


def test_new_parameters_and_weights_are_seen() -> None:
    model, task = SimpleNet(), task_of(nn.CrossEntropyLoss())
    chain = made(model, task, *batch())
    assert chain is not None
    other = SimpleNet()
    model.load_state_dict(other.state_dict())
    model.fc2.weight = nn.Parameter(torch.zeros(10, 128))
    other.fc2.weight = nn.Parameter(torch.zeros(10, 128))
    mine = gradients_of(model, chain, batch())
    its = gradients_of(other, Autograd(other, task), batch())
    for one, two in zip(mine, its, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("rows", [8192, 30_000])
def test_large_batches_have_the_same_bits_again(monkeypatch, rows: int) -> None:
    """Up to the limit on any number of threads; above it on the same number, whatever the time."""
    torch.manual_seed(0)
    model, task = nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), task_of(nn.CrossEntropyLoss())
    found = []
    for is_one_faster in (True, False):
        chain = made(model, task, *batch(pixels=8))
        assert chain is not None
        choose = threads_for if is_one_faster else lambda _: nullcontext()

        def call(_, function, *arguments, choose=choose):
            with choose(0):
                return function(*arguments)

        monkeypatch.setattr(ThreadChoice, "call", call)
        found.append(gradients_of(model, chain, batch(rows, pixels=8)))
    assert all(map(torch.equal, *found))


def test_what_a_callback_replaces_is_used() -> None:
    task, calls = task_of(nn.CrossEntropyLoss()), []
    model = SimpleNet()
    chain = made(model, task, *batch())
    assert chain is not None
    plain = gradients_of(model, chain, batch())
    loss = task.loss
    task.loss = lambda outputs, labels: loss(outputs, labels) + model.fc1.weight.pow(2).sum()
    penalised = gradients_of(model, chain, batch())
    torch.testing.assert_close(penalised[1], plain[1] + 2 * model.fc1.weight)
    task.loss = loss
    handle = loss.register_forward_hook(lambda *_: calls.append(1))
    gradients_of(model, chain, batch())
    handle.remove()
    assert calls == [1]
    model.fc1 = nn.Sequential(model.fc1, nn.Dropout(1.0))
    assert not gradients_of(model, chain, batch())[1].any()
    model.fc1 = nn.utils.parametrizations.weight_norm(model.fc1[0])
    assert len(gradients_of(model, chain, batch())) == 6


def test_nan_stays_nan() -> None:
    model, task = SimpleNet(), task_of(nn.CrossEntropyLoss())
    chain = made(model, task, *batch())
    assert chain is not None
    with torch.no_grad():
        model.fc1.weight[0, 0] = torch.nan
    loss, *gradients = gradients_of(model, chain, batch())
    assert loss.isnan()
    assert all(each.isnan().any() for each in gradients)


class InPlace(nn.Module):
    """Changes the outputs in place, which autograd allows for a model's outputs only."""

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.cross_entropy(outputs.relu_(), targets)


def test_the_trial_leaves_no_trace_and_refuses_what_differs() -> None:
    assert made(ConvNet(), task_of(nn.CrossEntropyLoss()), *batch()) is None
    assert made(SimpleNet(), task_of(InPlace()), *batch()) is None
    model, before = SimpleNet(), torch.get_rng_state()
    assert made(model, task_of(nn.CrossEntropyLoss()), *batch(pixels=27)) is None
    assert made(model, task_of(nn.CrossEntropyLoss()), *batch()) is not None
    assert torch.equal(torch.get_rng_state(), before)
    assert all(each.grad is None for each in model.parameters())
