"""The weights alone are loaded with the class as the run had it."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
import torch

from experiments.exporting import as_safetensors
from experiments.exporting.export import export
from experiments.exporting.load_weights import normalise
from experiments.exporting.source import Source

pytestmark = pytest.mark.xdist_group("exporting")  # one run for all

_NET = """
from __future__ import annotations

from dataclasses import dataclass

import torch
from experiments.models import SimpleNet


@dataclass
class Sizes:
    hidden: list[int]


class Scaled(SimpleNet):
    def __init__(self, scale: torch.Tensor, shift: list[float]) -> None:
        super().__init__(inputs=784, hidden=Sizes([128]).hidden, classes=10)
        self.scale = scale * len(shift)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return super().forward(images) * self.scale.sum()
"""


def _with_model(source: Source, model: dict[str, object]) -> Source:
    settings = {**source.trained.settings, "model": model}
    return replace(source, trained=replace(source.trained, settings=settings))


def test_a_class_with_tensors_and_dataclasses_is_loaded(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "scaled_net.py").write_text(_NET)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "exported_model", raising=False)
    model = {"_target_": "scaled_net.Scaled", "scale": [0.5, 1.5], "shift": [0.0, 1.0]}
    scaled = replace(_with_model(source, model), expected=source.expected * 4)
    folder = export(scaled, "safetensors", tmp_path / "new").folder
    told = json.loads((folder / "config.json").read_text())["model"]
    assert (told["tensors"], told["arguments"]["scale"]) == (["scale"], [0.5, 1.5])


def test_a_package_that_pip_does_not_know_is_named(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from experiments.models import SimpleNet

    class Net(SimpleNet):
        pass

    Net.__module__ = "bare"
    bare = ModuleType("bare")
    bare.Net = Net  # type: ignore[attr-defined]
    place = tmp_path / "site-packages" / "bare.py"
    bare.__file__ = str(place)
    monkeypatch.setitem(sys.modules, "bare", bare)
    settings = source.trained.settings["model"]
    as_safetensors.write(_with_model(source, {**settings, "_target_": "bare.Net"}), tmp_path)
    readme = (tmp_path / "README.md").read_text()
    assert "from the place of the run: bare" in readme
    assert not (tmp_path / "model.py").exists()


def test_the_callers_images_stay_as_they_are() -> None:
    images = torch.tensor([0.0, 255.0])
    assert normalise(images).tolist() == [-1, 1]
    assert images.tolist() == [0, 255]


def test_an_export_holds_no_cache_of_python(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    done = export(source, "safetensors", tmp_path / "new")
    assert {path.name for path in done.folder.rglob("*")} == set(done.files)
    assert not sys.dont_write_bytecode
