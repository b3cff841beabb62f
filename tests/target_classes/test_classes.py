"""`_target_` leads to classes of the right kind and to nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from experiments.errors import InputError
from experiments.models import SimpleNet
from experiments.target_classes import accepts, build, resolve

executed: list[object] = []


def gadget(*arguments: object) -> None:
    executed.append(arguments)


class Instance(nn.Module):
    """A model of a user."""

    def __init__(self, *, width: int) -> None:
        super().__init__()
        self.width = width


instance = Instance(width=1)
alias = os.system

GADGETS = [
    *("os.system", "posix.system", "subprocess.run", "subprocess.Popen", "builtins.open"),
    *("builtins.eval", "builtins.exec", "joblib.load", "pip.main", "pickle.loads", "torch.load"),
    *("torch.hub.load", "importlib.import_module", "experiments.app.os", "shutil.rmtree"),
    *(f"{__name__}.gadget", f"{__name__}.alias", f"{__name__}.instance", "torch.nn.Module.to"),
]


@pytest.mark.row("`_target_`")
@pytest.mark.parametrize("target", GADGETS)
@pytest.mark.parametrize("base", [nn.Module, Optimizer, LRScheduler])
def test_no_gadget_is_ever_returned(target: str, base: type, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        resolve("model", target, base)
    assert f"model._target_={target}" in str(caught.value)
    assert executed == []


def test_a_user_s_class_is_found() -> None:
    assert resolve("model", f"{__name__}.Instance", nn.Module) is Instance
    assert resolve("optimizer", "torch.optim.Adam", Optimizer) is torch.optim.Adam


def test_a_class_of_another_kind_is_refused() -> None:
    with pytest.raises(InputError, match=r"only a subclass of torch\.nn\.modules"):
        resolve("model", "torch.optim.SGD", nn.Module)


@pytest.mark.parametrize(
    ("target", "advice"),
    [
        ("experiments.models.SimpelNet", "did you mean SimpleNet"),
        ("SimpleNet", "write package.module.Name"),
        ("no.such.Net", "is its module installed, or beside train.py"),
    ],
)
def test_a_mistyped_class_is_explained(target: str, advice: str) -> None:
    with pytest.raises(InputError, match=advice):
        resolve("model", target, nn.Module)


def test_build_passes_the_arguments() -> None:
    assert build("model", Instance, {}, {"width": 3}).width == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"witdh": 3}, r"model\.witdh: unknown key; did you mean model\.width\?"),
        ({}, r"model\.width: is missing, and Instance needs it; .*: \+model\.width=…"),
        ({"width": {"_target_": "os.system"}}, r"model\.width: nothing below a part may name"),
        ({"width": [{"a": {"_target_": "x"}}]}, r"model\.width: nothing below a part may name"),
    ],
)
def test_wrong_arguments_are_explained(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build("model", Instance, {}, arguments)


def test_what_the_class_itself_refuses_is_explained() -> None:
    with pytest.raises(InputError, match="optimizer: Adam refuses its arguments: Invalid learning"):
        build("optimizer", torch.optim.Adam, {"params": [torch.zeros(1)]}, {"lr": -1.0})


def test_accepts() -> None:
    assert accepts(torch.optim.lr_scheduler.OneCycleLR, "total_steps")
    assert not accepts(SimpleNet, "total_steps")
