"""The program beside an ONNX file tells mistakes in one line."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image

from experiments.exporting import as_onnx
from experiments.exporting.predict_onnx import main
from experiments.exporting.source import Source

pytestmark = pytest.mark.xdist_group("exporting")  # one run for all


@pytest.fixture(scope="module")
def model(source: Source, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("onnx")
    as_onnx.write(source, folder)
    return folder / as_onnx.NAME


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    Image.new("L", (28, 28)).save(path)
    return path


def _refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    with pytest.raises(SystemExit) as ended:
        main([*map(str, arguments)])
    assert ended.value.code == 2
    return capsys.readouterr().err.rpartition("error: ")[2]


def _foreign(path: Path, **facts: str) -> Path:
    kind = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    node = helper.make_node("Identity", ["x"], ["y"])
    graph = helper.make_graph(
        [node], "g", [kind], [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])]
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(made, facts)
    onnx.save_model(made, path)
    return path


def test_a_model_that_cannot_be_used_is_told(
    picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(b"no graph")
    said = {
        tmp_path / "none.onnx": "there is no such file",
        damaged: "ONNX Runtime cannot load it",
        _foreign(tmp_path / "foreign.onnx"): "does not tell its classes",
        _foreign(tmp_path / "other.onnx", preparation="?", classes="[]"): "does not tell its",
    }
    for path, text in said.items():
        line = _refused(capsys, picture, f"--model={path}")
        assert line.count("\n") == 1
        assert str(path) in line
        assert text in line


def test_a_picture_that_cannot_be_used_is_told(
    model: Path,
    picture: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = tmp_path / "text.png"
    text.write_text("text")
    for path in (text, tmp_path / "none.png", tmp_path):
        line = _refused(capsys, path, f"--model={model}")
        assert line.count("\n") == 1
        assert line.startswith(f"{path}: ")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert _refused(capsys, picture, f"--model={model}").startswith(
        f"{picture}: has too many pixels"
    )
