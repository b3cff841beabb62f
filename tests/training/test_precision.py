"""Mixed precision: the losses are those of float32, nearly, and overflowing steps are skipped."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn
from torch.amp import GradScaler

from experiments.data.batches import batches
from experiments.data.splits import Splits
from experiments.models import SimpleNet
from experiments.training import gradients as module
from experiments.training.evaluation import evaluate
from experiments.training.gradients import Autograd, ScaledAutograd
from experiments.training.updates import Updates
from tests.made_tasks import classification

CPU = torch.device("cpu")
OPTIMIZERS: dict[str, Callable[..., Any]] = {
    "sgd": partial(torch.optim.SGD, lr=0.01, fused=True),
    "momentum": partial(torch.optim.SGD, lr=0.01, momentum=0.9, dampening=0.5, fused=True),
    "adamw": partial(torch.optim.AdamW, lr=0.001, fused=True),
    "unfused": partial(torch.optim.RMSprop, lr=0.001),
}


def made(optimizer: str = "sgd") -> tuple[nn.Module, Any]:
    torch.manual_seed(0)
    model = SimpleNet()
    return model, OPTIMIZERS[optimizer](model.parameters())


def weights(model: nn.Module) -> torch.Tensor:
    return torch.cat([each.detach().flatten() for each in model.parameters()])


def test_mixed_precision_is_near_float32(digits: Splits) -> None:
    images, labels = next(batches(digits.train, 64))
    model, optimizer = made()
    found = {}
    for precision in ("float32", "bf16-mixed", "fp16-mixed"):
        ways = Autograd(model, classification(), precision)
        if precision == "fp16-mixed":
            ways = ScaledAutograd(model, classification(), optimizer, CPU)
        loss = ways.add(images, labels, 1)
        ways.complete()
        slopes = torch.cat([each.grad.flatten() for each in model.parameters()])
        assert (loss.dtype, slopes.dtype) == (torch.float32, torch.float32)
        found[precision] = loss, slopes
        optimizer.zero_grad()
    loss, slopes = found.pop("float32")
    for other, others in found.values():
        assert other != loss  # so it was computed in 16 bits
        assert other.item() == pytest.approx(loss.item(), rel=0.01)
        assert torch.dist(slopes, others) < 0.05 * slopes.norm()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_steps_with_infinite_gradients_leave_no_trace_but_a_lower_scale(
    digits: Splits, optimizer: str
) -> None:
    """Skipped or not, a step is the optimizer's own on gradients that were never scaled."""
    model, steps = made(optimizer)
    twin = copy.deepcopy(model)
    alone = OPTIMIZERS[optimizer](twin.parameters())
    scaled = ScaledAutograd(model, classification(), steps, CPU)
    updates = Updates([steps], scaled.scaler)
    count = 0
    for number, (images, labels) in enumerate(batches(digits.train, 64, limit=6)):
        before = weights(model)
        scaled.add(images, labels, 1)
        if number in {0, 3}:  # as an overflow in backward would
            next(model.parameters()).grad[0, 0] = torch.inf
        scaled.complete()
        given = [each.grad.clone() for each in model.parameters()]
        updates.step()
        assert all(each.grad is None for each in model.parameters())
        if number in {0, 3}:
            count += 1
            assert torch.equal(weights(model), before)
            continue
        assert scaled.scaler.get_scale() == 65536 / 2**count
        assert max(each.abs().max() for each in given) < 10  # unscaled
        for parameter, gradient in zip(twin.parameters(), given, strict=True):
            parameter.grad = gradient
        alone.step()
        torch.testing.assert_close(weights(model), weights(twin))


def test_a_weight_that_no_kernel_takes_is_skipped_and_stepped_too() -> None:
    """Without a kernel the scaler skips the step itself; afterwards all is as before."""
    weight = nn.Parameter(torch.ones(5, 6)[:, ::2])
    optimizer = OPTIMIZERS["adamw"]([weight])
    scaler = GradScaler("cpu")
    updates = Updates([optimizer], scaler)
    for factor, moves in ((torch.inf, False), (1.0, True), (1.0, True)):
        before = weight.detach().clone()
        scaler.scale((weight * factor).sum()).backward()
        scaler.unscale_(optimizer)
        updates.step()
        assert (not torch.equal(weight, before)) is moves
        assert weight.isfinite().all()
        assert optimizer.param_groups[0]["fused"]
        assert optimizer._step_supports_amp_scaling


def test_accumulated_gradients_are_those_of_float32(digits: Splits) -> None:
    model, optimizer = made()
    found = []
    for ways in (
        Autograd(model, classification()),
        ScaledAutograd(model, classification(), optimizer, CPU),
    ):
        for images, labels in batches(digits.train, 32, limit=3):
            ways.add(images, labels, 3)
        ways.complete()
        found.append(torch.cat([each.grad.flatten() for each in model.parameters()]))
        optimizer.zero_grad()
    assert torch.dist(*found) < 0.05 * found[0].norm()


def test_a_loss_that_overflows_float16_trains_once_the_scale_is_low_enough(
    digits: Splits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GradScaler", partial(GradScaler, init_scale=2.0**40))
    model, optimizer = made("momentum")
    scaled = ScaledAutograd(model, classification(), optimizer, CPU)
    updates, before = Updates([optimizer], scaled.scaler), weights(model)
    moved = []
    for images, labels in batches(digits.train, 32, limit=30):
        scaled.add(images, labels, 1)
        scaled.complete()
        updates.step()
        moved.append(not torch.equal(weights(model), before))
    assert not moved[0]
    assert moved[-1]
    assert moved == sorted(moved)
    assert weights(model).isfinite().all()
    assert scaled.scaler.get_scale() == 2.0 ** (40 - moved.count(False))


@pytest.mark.parametrize("precision", ["bf16-mixed", "fp16-mixed"])
def test_the_loss_and_the_metrics_of_an_evaluation_get_float32(
    digits: Splits, precision: str
) -> None:
    task = classification()
    seen = []

    def loss(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        seen.append(outputs.dtype)
        return nn.functional.cross_entropy(outputs, targets)

    task.loss = loss
    settings = {"models": [made()[0]], "seeds": [0], "task": task, "split": digits.test}
    settings |= {"limit_batches": None, "after_batch": lambda: None}
    (plain,) = evaluate(**settings)
    (mixed,) = evaluate(**settings, precision=precision)
    assert set(seen) == {torch.float32}
    assert mixed.loss != plain.loss
    assert mixed.loss == pytest.approx(plain.loss, rel=0.01)
