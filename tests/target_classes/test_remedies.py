"""A `_target_` that is not allowed, and one that lacks something, come with a remedy."""

from __future__ import annotations

import urllib.error
from typing import Literal

import pytest
import torchmetrics
from torch import Tensor, nn

from experiments.errors import InputError
from experiments.target_classes import (
    build,
    build_function,
    build_metric,
    resolve,
    resolve_function,
    resolve_loss,
    resolve_metric,
    resolve_model,
)
from experiments.tasks import Task

HERE = f"{__name__}."


def unannotated(outputs, targets): ...


class Plain: ...


class Forgetful:
    def update(self, outputs: Tensor, targets: Tensor) -> None: ...
    def compute(self) -> float: ...


class Unreachable(nn.Module):
    def __init__(self, weights: str) -> None:
        raise urllib.error.URLError("no name service")


def weighted(outputs: Tensor, targets: Tensor, kind: Literal["a", "b"]) -> Tensor: ...


@pytest.mark.parametrize(
    ("look_up", "name", "remedy"),
    [
        (resolve_loss, "unannotated", "`def unannotated(…) -> torch.Tensor:`"),
        (resolve_metric, "unannotated", "`def unannotated(…) -> torch.Tensor:`"),
        (resolve_model, "unannotated", "-> torch.nn.modules.module.Module:`"),
        (lambda *key: resolve_function(*key, float), "unannotated", "-> float:`"),
        (resolve_loss, "Plain", "`class Plain(torch.nn.modules.module.Module):`"),
        (resolve_model, "Plain", "`class Plain(torch.nn.modules.module.Module):`"),
        (lambda *key: resolve(*key, Task), "Plain", "`class Plain(experiments.tasks.task.Task):`"),
        (resolve_metric, "Plain", "write its methods update, compute, reset"),
        (resolve_metric, "Forgetful", "write its method reset"),
    ],
)
def test_an_object_of_the_user_s_own_has_a_remedy(look_up, name: str, remedy: str) -> None:
    with pytest.raises(InputError) as caught:
        look_up("key", HERE + name)
    assert str(caught.value).endswith(remedy)


@pytest.mark.parametrize("target", ["os.system", "collections.Counter", "torch.optim.SGD"])
def test_an_object_of_a_package_has_none(target: str) -> None:
    with pytest.raises(InputError, match=r"may be named here$"):
        resolve_loss("task.loss", target)


def test_a_package_that_is_not_required_is_named_with_its_installation() -> None:
    try:
        import timm  # noqa: F401
    except ImportError:
        with pytest.raises(InputError, match="install it with `pip install timm`"):
            resolve_model("model", "timm.create_model")
    else:
        pytest.skip("timm is installed")


def test_a_missing_argument_is_named_with_its_choices() -> None:
    key = "task.metrics.x"
    with pytest.raises(InputError) as caught:
        build_metric(key, torchmetrics.Accuracy, {}, {})
    assert str(caught.value) == (
        "task.metrics.x.task: is missing, and Accuracy needs it, one of binary, multiclass, "
        "multilabel; add to the command: +task.metrics.x.task=…"
    )


def test_a_missing_argument_of_a_function_is_named() -> None:
    with pytest.raises(InputError, match=r"^task\.loss\.kind: is missing"):
        build_function("task.loss", weighted, {}, takes=2)
    assert build_function("task.loss", weighted, {"kind": "a"}, takes=2).keywords == {"kind": "a"}


def test_weights_that_cannot_be_fetched_are_named() -> None:
    with pytest.raises(InputError, match=r"^model\.weights=DEFAULT: .*no name service.*network"):
        build("model", Unreachable, {}, {"weights": "DEFAULT"})
