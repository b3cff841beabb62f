"""The classes and functions that may be a loss or a metric, and their arguments."""

from __future__ import annotations

import functools

import pytest
import torch
import torchmetrics
from torch import nn

from experiments.errors import InputError
from experiments.target_classes import (
    build,
    build_function,
    build_metric,
    resolve_function,
    resolve_loss,
    resolve_metric,
)
from tests import own_makers

OWN = "tests.own_makers."


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("torch.nn.CrossEntropyLoss", nn.CrossEntropyLoss),
        ("torch.nn.functional.smooth_l1_loss", nn.functional.smooth_l1_loss),
        ("torch.nn.functional.cosine_similarity", torch.cosine_similarity),
        ("torchmetrics.functional.mean_squared_error", torchmetrics.functional.mean_squared_error),
        (f"{OWN}half_mse", own_makers.half_mse),
    ],
)
def test_a_loss_is_a_module_or_a_function_of_tensors(target: str, expected: object) -> None:
    assert resolve_loss("task.loss", target) is expected


def test_torchvision_has_losses() -> None:
    from torchvision.ops import sigmoid_focal_loss

    assert resolve_loss("task.loss", "torchvision.ops.sigmoid_focal_loss") is sigmoid_focal_loss


@pytest.mark.parametrize(
    "target",
    [
        "torchmetrics.Accuracy",
        "torchmetrics.classification.MulticlassF1Score",
        "torchmetrics.MeanSquaredError",
        "experiments.tasks.Accuracy",
        f"{OWN}Largest",
        f"{OWN}share_above",
        "torch.nn.functional.mse_loss",
    ],
)
def test_a_metric_has_three_methods_or_is_a_function(target: str) -> None:
    name = target.rpartition(".")[2]
    assert resolve_metric("task.metrics.x", target).__name__ == name


@pytest.mark.parametrize(
    "target", ["collections.Counter", "statistics.mean", f"{OWN}Sized", f"{OWN}perceptron"]
)
def test_anything_else_is_no_metric(target: str) -> None:
    with pytest.raises(InputError, match="only a class with update, compute and reset, or a func"):
        resolve_metric("task.metrics.x", target)


def test_a_class_that_makes_an_object_of_another_class_is_a_metric() -> None:
    given, arguments = {"num_classes": 3}, {"task": "multiclass"}
    made = build_metric("task.metrics.x", torchmetrics.Accuracy, given, arguments)
    made.update(torch.tensor([[0.0, 1, 0], [1, 0, 0]]), torch.tensor([1, 2]))
    assert float(made.compute()) == 0.5


def test_a_list_becomes_a_tensor_where_one_is_annotated() -> None:
    loss = build("task.loss", nn.CrossEntropyLoss, {}, {"weight": [1, 2, 0.5]})
    assert torch.equal(loss.weight, torch.tensor([1, 2, 0.5]))
    one = build_function("task.loss", own_makers.half_mse, {"weight": [2, 0]}, takes=2)
    assert float(one(torch.ones(2), torch.zeros(2))) == 0.5
    assert build("model", nn.LayerNorm, {}, {"normalized_shape": [3, 4]}).normalized_shape == (3, 4)


def test_a_function_gets_its_arguments() -> None:
    plain = build_function("task.loss", own_makers.half_mse, {}, takes=2)
    assert plain is own_makers.half_mse
    told = build_function("x", own_makers.share_above, {"threshold": 0.5}, takes=2)
    assert isinstance(told, functools.partial)
    assert float(told(torch.tensor([0.0, 1.0]), torch.zeros(2))) == 0.5
    builtin = build_function("x", torch.cosine_similarity, {"dim": 1}, takes=2)
    assert float(builtin(torch.ones(1, 2), torch.ones(1, 2))) == pytest.approx(1)


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        (
            "share_above",
            {},
            r"x\.threshold: is missing, and share_above needs it; add to the command: \+x\.",
        ),
        ("share_above", {"treshold": 1}, r"x\.treshold: unknown key; did you mean x\.threshold"),
        ("one_argument", {}, "one_argument.* is called with 2 positional .*: too many positional"),
        ("half_mse", {"outputs": 1}, "x: half_mse takes no outputs; it takes weight; add to the"),
        ("half_mse", {"weight": {"_target_": "os.system"}}, "nothing below a part may name a _tar"),
    ],
)
def test_arguments_that_do_not_fit_are_one_line(
    name: str, arguments: dict[str, object], said: str
) -> None:
    function = resolve_function("x", f"{OWN}{name}", torch.Tensor)
    with pytest.raises(InputError, match=said) as caught:
        build_function("x", function, arguments, takes=2)
    assert "\n" not in str(caught.value)
