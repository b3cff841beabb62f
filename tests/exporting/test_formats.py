"""Each format gives the answers of the run, from files that need nothing of ours."""

from __future__ import annotations

import ast
import json
import runpy
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from experiments.exporting import as_onnx, as_torch_export
from experiments.exporting.as_onnx_int8 import NAME, sample
from experiments.exporting.check import TOLERANCE
from experiments.exporting.export import export
from experiments.exporting.source import Source
from experiments.inference.pictures import read_pictures
from experiments.inference.predict import predict

pytestmark = pytest.mark.xdist_group("exporting")  # one run for all


@pytest.mark.parametrize("kind", ["torch_export", "onnx", "mlflow", "safetensors"])
def test_an_export_is_checked_and_says_where_it_comes_from(
    source: Source, kind: str, tmp_path: Path
) -> None:
    done = export(source, kind, tmp_path / "export" / kind)
    assert done.agreement.images == len(source.images)
    assert 0 <= done.agreement.relative <= TOLERANCE
    told = json.loads((done.folder / "metadata.json").read_text())
    assert (told["run"], told["identity"]) == (source.trained.id, source.identity)
    assert told["classes"] == [str(digit) for digit in range(10)]
    assert told["input"]["shape"] == [-1, 1, 28, 28]
    assert told["accuracy"] == source.accuracy(source.expected)
    assert sum(done.files.values()) < 2e6  # the weights and a few examples, not the test images
    assert list(tmp_path.iterdir()) == [tmp_path / "export"]


def test_a_graph_of_torch_has_the_bits_of_the_run(source: Source, tmp_path: Path) -> None:
    as_torch_export.write(source, tmp_path)
    assert torch.equal(as_torch_export.load(tmp_path)(source.images), source.expected)
    inside = {"metadata.json": ""}
    torch.export.load(tmp_path / "model.pt2", extra_files=inside)
    assert json.loads(inside["metadata.json"]) == source.description


@pytest.fixture(scope="module")
def onnx(source: Source, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("exports") / "onnx"
    return export(source, "onnx", place, int8=True).folder


def test_onnx_has_an_8_bit_model_that_says_its_accuracy(source: Source, onnx: Path) -> None:
    session = as_onnx.session_of(onnx / NAME)
    facts = session.get_modelmeta().custom_metadata_map
    outputs = as_onnx.load_file(onnx / NAME)(source.images)
    assert float(facts["accuracy"]) == source.accuracy(outputs) > 0.5
    assert float(facts["accuracy_in_full_precision"]) == source.accuracy(source.expected)
    assert (onnx / NAME).stat().st_size < (onnx / as_onnx.NAME).stat().st_size / 3
    alone = torch.cat([as_onnx.load_file(onnx / NAME)(image) for image in source.images.split(1)])
    assert torch.equal(alone, outputs)


def test_a_calibration_sees_all_classes_of_sorted_and_of_alternating_data() -> None:
    chosen = sample(60_000)
    assert torch.equal(chosen, sample(60_000))
    assert len(set(chosen.tolist())) == 10_000
    for labels in (torch.arange(60_000) // 6000, torch.arange(60_000) % 10):
        assert labels[chosen].bincount(minlength=10).min() > 900
    assert sample(7).tolist() == list(range(7))


def test_the_program_beside_onnx_answers_as_predict_does(
    source: Source,
    onnx: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pictures = [tmp_path / f"{size}.png" for size in (28, 50)]
    for path, size in zip(pictures, (28, 50), strict=True):
        image = Image.fromarray(255 - source.images[1, 0].numpy())  # dark on light
        image.resize((size, size)).save(path)
    monkeypatch.syspath_prepend(str(onnx))
    monkeypatch.setattr(sys, "argv", ["predict_onnx.py", *map(str, pictures), "--json"])
    runpy.run_path(str(onnx / "predict_onnx.py"), run_name="__main__")
    told = json.loads(capsys.readouterr().out)
    expected = predict([source.trained], read_pictures(pictures, source.trained.shape))
    for ours, theirs in zip(expected.all, told, strict=True):
        assert theirs["inverted"]
        assert theirs["class"] == ours.name
        assert list(theirs["probabilities"].values()) == pytest.approx(
            list(ours.probabilities), abs=1e-5
        )
    sys.modules.pop("preparation")


def test_the_programs_import_nothing_of_ours(source: Source, onnx: Path, tmp_path: Path) -> None:
    weights = export(source, "safetensors", tmp_path / "weights").folder
    allowed = {"numpy", "PIL", "onnxruntime", "preparation"}
    for path, names in {onnx: allowed, weights: {"torch", "safetensors"}}.items():
        for program in path.glob("*.py"):
            tree = ast.walk(ast.parse(program.read_text()))
            found = {
                name.partition(".")[0]
                for node in tree
                if isinstance(node, ast.Import | ast.ImportFrom)
                for name in (
                    [node.module or ""]
                    if isinstance(node, ast.ImportFrom)
                    else [alias.name for alias in node.names]
                )
            }
            assert found - set(sys.stdlib_module_names) <= names, program.name


def test_safetensors_has_the_weights_and_their_class(source: Source, tmp_path: Path) -> None:
    folder = export(source, "safetensors", tmp_path / "weights").folder
    weights = load_file(folder / "weights.safetensors")
    model = source.trained.model.state_dict()
    assert all(torch.equal(weights[name], tensor) for name, tensor in model.items())
    told = json.loads((folder / "config.json").read_text())
    assert told["model"]["class"] == "experiments.models.SimpleNet"
    assert told["model"]["arguments"] == {"inputs": 784, "hidden": [128], "classes": 10}
    assert "logits = model(normalise(images))" in (folder / "README.md").read_text()
