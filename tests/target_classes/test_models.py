"""Models from classes and from functions, and the arguments that would load files."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import nn

from experiments.errors import InputError
from experiments.target_classes import build_model, resolve_model
from tests import own_makers

RESNET = "torchvision.models.resnet18"


@pytest.fixture
def timm(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module in the place of timm, which is not among our dependencies."""
    module = ModuleType("timm")
    source = (
        "def create_model(model_name, pretrained=False, checkpoint_path=None, **kwargs):\n"
        "    from torch import nn\n"
        "    return nn.Linear(kwargs['in_chans'], kwargs['num_classes'])\n"
    )
    exec(source, vars(module))
    monkeypatch.setitem(sys.modules, "timm", module)
    return module


def test_a_function_of_torchvision_makes_a_model() -> None:
    model = build_model("model", resolve_model("model", RESNET), {"num_classes": 7}, {})
    assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 7)


@pytest.mark.parametrize("name", ["perceptron", "resnet_for_grey", "Sized"])
def test_a_function_or_class_of_the_user_s_makes_a_model(name: str) -> None:
    found = resolve_model("model", f"tests.own_makers.{name}")
    assert found is getattr(own_makers, name)


@pytest.mark.parametrize(
    "target",
    [
        "torchvision.models.get_model",
        "torchvision.models.list_models",
        "torchvision.models.detection.fasterrcnn_resnet50_fpn",
        "torchvision.models.get_weight",
        "torch.nn.functional.relu",
        "tests.own_makers.half_mse",
        "experiments.run.load_model.load_model",
    ],
)
def test_any_other_function_is_refused(target: str) -> None:
    with pytest.raises(InputError, match=rf"model\._target_={target}: is not allowed; only"):
        resolve_model("model", target)


def test_what_is_no_model_is_refused() -> None:
    with pytest.raises(InputError, match="model: liar makes a int; mend the function"):
        build_model("model", own_makers.liar, {}, {})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"weights": "IMAGENET1K_V9"}, r"has no such weights; did you mean model\.IMAGENET1K_V1"),
        ({"pretrained": True}, r"model\.pretrained: is an old name; use model\.weights=DEFAULT"),
        ({"width": 3}, "resnet18 refuses its arguments: .*unexpected keyword argument 'width'"),
    ],
)
def test_wrong_arguments_for_torchvision_are_one_line(
    arguments: dict[str, object], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        build_model("model", resolve_model("model", RESNET), {}, arguments)


def weights_of_resnet(folder: Path, monkeypatch: pytest.MonkeyPatch, saved: object) -> Path:
    """Save something in the place of the weights that torchvision has fetched before."""
    from torchvision.models import ResNet18_Weights

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(folder))
    file = folder / "checkpoints" / ResNet18_Weights.IMAGENET1K_V1.url.rpartition("/")[2]
    file.parent.mkdir()
    torch.save(saved, file)
    return file


def test_a_damaged_file_of_weights_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = weights_of_resnet(tmp_path, monkeypatch, {})
    with pytest.raises(InputError, match=f"{file}: is damaged; delete it"):
        build_model("model", resolve_model("model", RESNET), {}, {"weights": "DEFAULT"})


def test_weights_are_read_as_tensors_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision import models

    saved = models.resnet18().state_dict()
    file = weights_of_resnet(tmp_path, monkeypatch, saved)
    monkeypatch.setattr(
        "experiments.target_classes.models.sha256_of", lambda _: file.stem.rpartition("-")[2]
    )
    model = build_model("model", resolve_model("model", RESNET), {}, {"weights": "DEFAULT"})
    assert torch.equal(model.state_dict()["fc.weight"], saved["fc.weight"])
    torch.save({"fc.weight": nn.Linear(1, 1)}, file)  # pickled code
    with pytest.raises(InputError, match="resnet18 loads a pickled object"):
        build_model("model", resolve_model("model", RESNET), {}, {"weights": "DEFAULT"})


def test_timm_makes_a_model(timm: ModuleType) -> None:
    maker = resolve_model("model", "timm.create_model")
    given = {"num_classes": 7, "in_chans": 1}
    arguments = {"model_name": "resnet18.a1_in1k", "pretrained": False}
    assert build_model("model", maker, given, arguments).out_features == 7


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"pretrained": True}, r"model\.pretrained=True: would load weights"),
        ({"checkpoint_path": "x.pth"}, r"model\.checkpoint_path=x\.pth: would load weights"),
        ({"pretrained_cfg_overlay": {"file": "x"}}, r"model\.pretrained_cfg_overlay="),
        ({"model_name": "hf-hub:me/x"}, r"model\.model_name=hf-hub:me/x: names no model of timm"),
        ({"model_name": "local-dir:/x"}, r"model\.model_name=local-dir:/x: names no model"),
        ({"model_name": None}, r"model\.model_name=None: names no model of timm"),
    ],
)
def test_timm_loads_nothing(timm: ModuleType, arguments: dict[str, object], said: str) -> None:
    maker = resolve_model("model", "timm.create_model")
    with pytest.raises(InputError, match=said):
        build_model("model", maker, {}, {"model_name": "resnet18", **arguments})


def test_other_functions_of_timm_are_refused(timm: ModuleType) -> None:
    timm.load = timm.create_model
    timm.create_model = lambda **_: 1
    with pytest.raises(InputError, match=r"timm\.load: is not allowed"):
        resolve_model("model", "timm.load")
