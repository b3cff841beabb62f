"""A model takes the sizes that the configuration leaves out from the data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import nn

from experiments.errors import InputError
from experiments.identity.ingredients import ingredients_of
from experiments.run.build import assemble
from experiments.run.load_model import load_model
from tests.conftest import PROJECT, Program, run_folder
from tests.run.test_lifecycle import configuration

DATA = "data._target_=tests.own_data."
COLOURED = (f"{DATA}Coloured", "data.batch_size=7")
PLAIN = ("~model.hidden",)  # the shipped file's key that other classes do not take


def model_of(root: str, *overrides: str) -> nn.Module:
    return assemble(configuration(root, *overrides)).model


@pytest.mark.parametrize(
    ("overrides", "sizes"),
    [
        (("model=simplenet",), {"inputs": 3072, "classes": 7}),
        (("model=convnet",), {"in_channels": 3, "image_size": 32, "classes": 7}),
        (("model._target_=torchvision.models.squeezenet1_1", *PLAIN), {"num_classes": 7}),
        (("model._target_=tests.own_makers.perceptron", *PLAIN), {"inputs": 3072, "classes": 7}),
        (("model._target_=tests.own_makers.Sized", *PLAIN), {"in_channels": 3, "outputs": 7}),
        (("model._target_=tests.own_makers.Passing", *PLAIN), {"in_channels": 3, "outputs": 7}),
        (
            ("model._target_=tests.own_makers.resnet_for_grey", *PLAIN),
            {"in_channels": 3, "num_classes": 7},
        ),
        (
            ("model._target_=tests.own_makers.Sized", *PLAIN, "+model.outputs=9"),
            {"in_channels": 3},
        ),
    ],
)
def test_coloured_images_in_seven_classes_need_no_number(
    root: str, overrides: tuple[str, ...], sizes: dict[str, int]
) -> None:
    parts = assemble(configuration(root, *COLOURED, *overrides))
    assert parts.sizes == sizes
    outputs = 9 if "+model.outputs=9" in overrides else 7
    assert parts.model(torch.zeros(2, 3, 32, 32)).shape == (2, outputs)


def test_a_regression_s_model_has_an_output_for_each_number(root: str) -> None:
    overrides = (f"{DATA}Numbers", "data.batch_size=7", "task=regression")
    assert model_of(root, *overrides)(torch.zeros(2, 3, 32, 32)).shape == (2, 2)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (
            ("model.inputs=784",),
            "model.inputs=784: the images have 3 x 32 x 32 = 3072 values; set model.inputs=3072, "
            "or null to take it from the data",
        ),
        (
            ("model=convnet", "model.in_channels=1"),
            "model.in_channels=1: the images have 3 x 32 x 32; set model.in_channels=3, or null to "
            "take it from the data",
        ),
        (
            ("model.classes=6",),
            "model.classes=6: the data has 7 classes; set model.classes=7, or null to take it from "
            "the data",
        ),
        (
            (f"{DATA}Wide", "model=convnet"),
            "model.image_size=null: the images are not square (1 x 28 x 20), so that this model "
            "cannot take them; choose another model",
        ),
        (
            ("task._target_=experiments.tasks.Task",),
            "model.classes=null: Task tells no number of outputs; give it a value",
        ),
        (
            ("data=digits", "model._target_=torchvision.models.resnet18", *PLAIN),
            "model._target_=torchvision.models.resnet18: takes images of 3 channels, and those of "
            "data._target_=experiments.data.Digits have 1; set model._target_ to a function of "
            "your own that puts nn.Conv2d(1, 64, …) in the place of conv1",
        ),
        (
            (*PLAIN, "model._target_=tests.own_makers.Sized", "+model.in_channels=1"),
            "model.in_channels=1: the images have 3 x 32 x 32; set model.in_channels=3, or null",
        ),
    ],
)
def test_a_misfit_names_the_key_and_the_value(
    root: str, overrides: tuple[str, ...], said: str
) -> None:
    data = () if "data=digits" in overrides else COLOURED
    with pytest.raises(InputError) as caught:
        model_of(root, *data, *overrides)
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    ("left_out", "written"),
    [
        (("model=simplenet",), ("model.inputs=784", "model.classes=10")),
        (("model=convnet",), ("model.in_channels=1", "model.image_size=28", "model.classes=10")),
    ],
)
def test_on_a_shipped_data_set_a_written_size_has_the_same_identity(
    root: str, left_out: tuple[str, ...], written: tuple[str, ...]
) -> None:
    configs = [configuration(root, *left_out, *more) for more in ((), written)]
    first, second = (ingredients_of(each, data_sha256="0", device="cpu") for each in configs)
    assert first.identity == second.identity
    assert configs[0].leaves() == configs[1].leaves()
    assert assemble(configs[0]).sizes == {}


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "kmnist", "digits"])
def test_the_sizes_that_are_declared_are_those_of_the_data(root: str, name: str) -> None:
    config = configuration(root, f"data={name}")
    assert (config.model.inputs, config.model.classes) == (784, 10)
    assert configuration(root, f"data={name}", "task=regression").model.classes == 1


def test_the_sizes_of_the_digits_are_those_that_are_loaded(root: str) -> None:
    splits = assemble(configuration(root)).splits
    assert splits.train.images.shape[1:].numel() == 784
    assert int(splits.train.labels.max()) + 1 == 10


def test_the_values_are_recorded_and_the_model_is_loaded_by_its_folder(
    train: Program, tmp_path: Path
) -> None:
    overrides = (*COLOURED, "trainer.epochs=1", "tracking=none")
    target = "model._target_=tests.own_makers.perceptron"
    done = train(*overrides, target, *PLAIN, PYTHONPATH=str(PROJECT))
    assert done.returncode == 0, done.stderr
    folder = run_folder(tmp_path)
    config: dict[str, Any] = yaml.safe_load((folder / "config.yaml").read_text())
    assert config["model"] == {
        "_target_": "tests.own_makers.perceptron",
        "inputs": 3072,
        "classes": 7,
    }
    assert load_model(folder)(torch.zeros(2, 3, 32, 32)).shape == (2, 7)
    again = train(*overrides, target, *PLAIN, PYTHONPATH=str(PROJECT))
    assert "Finished before" in again.stdout + again.stderr
