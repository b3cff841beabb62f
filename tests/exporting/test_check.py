"""An export that does not answer as its run leaves nothing; mistakes are told in one line."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from experiments.catalog.summary import Summary
from experiments.errors import InputError, RunError
from experiments.exporting import as_onnx, as_onnx_int8
from experiments.exporting.export import export
from experiments.exporting.place import check_can_export
from experiments.exporting.source import Source, source_of
from experiments.tasks import Classification, Regression

pytestmark = pytest.mark.xdist_group("exporting")  # one run for all


class _Noisy(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        logits = images.flatten(1)[:, :10]
        return logits + torch.rand_like(logits)


class _Deciding(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1)[:, :10] * (2 if images.mean() > 0 else 1)


def _with(source: Source, model: nn.Module) -> Source:
    return replace(source, trained=replace(source.trained, model=model))


def test_an_export_that_differs_names_the_image_and_leaves_nothing(
    source: Source, tmp_path: Path
) -> None:
    expected = source.expected.clone()
    expected[17, 3] += 0.5
    with pytest.raises(RunError, match=r"for 1 of 297 test images .* image 17, by 0\.5 where"):
        export(replace(source, expected=expected), "torch_export", tmp_path / "new")
    assert list(tmp_path.iterdir()) == []
    expected[17, 3] = float("nan")
    with pytest.raises(RunError, match="image 17, by nan"):
        export(replace(source, expected=expected), "torch_export", tmp_path / "new")


def test_an_earlier_export_is_replaced_only_by_a_checked_one(
    source: Source, tmp_path: Path
) -> None:
    place = tmp_path / "export"
    export(source, "torch_export", place)
    before = {file: file.read_bytes() for file in place.iterdir()}
    noisy = replace(_with(source, _Noisy()), expected=source.images.flatten(1)[:, :10] / 127.5)
    with pytest.raises(RunError, match="297 of 297 test images"):
        export(noisy, "torch_export", place)
    assert {file: file.read_bytes() for file in place.iterdir()} == before
    check_can_export("torch_export", place, source.trained.id, int8=False)
    export(source, "torch_export", place)
    assert list(tmp_path.iterdir()) == [place]


def test_nothing_but_the_same_export_is_replaced(source: Source, tmp_path: Path) -> None:
    place, run = tmp_path / "export", source.trained.id
    export(source, "safetensors", place)
    (place / "__pycache__").mkdir()
    (place / "__pycache__" / "model.cpython-311.pyc").write_bytes(b"")
    check_can_export("safetensors", place, run, int8=False)
    with pytest.raises(InputError, match=f"of run {run} as safetensors, not of {run} as mlflow"):
        check_can_export("mlflow", place, run, int8=False)
    with pytest.raises(InputError, match=f"of run {run} as safetensors, not of other as safet"):
        check_can_export("safetensors", place, "other", int8=False)
    (place / "mine").mkdir()
    (place / "mine" / "notes.txt").write_text("mine")
    (place / "link").symlink_to(tmp_path)
    with pytest.raises(
        InputError, match=r"files that no export has made \(link, mine/notes\.txt\)"
    ):
        check_can_export("safetensors", place, run, int8=False)
    before = {file: file.read_bytes() for file in place.iterdir() if file.is_file()}
    with pytest.raises(InputError, match="files that no export has made"):
        export(source, "safetensors", place)  # they came after the first check
    assert {file: file.read_bytes() for file in place.iterdir() if file.is_file()} == before
    assert (place / "mine" / "notes.txt").read_text() == "mine"
    assert list(tmp_path.iterdir()) == [place]


@pytest.mark.parametrize("kind", ["torch_export", "onnx", "mlflow"])
def test_a_model_that_cannot_be_traced_is_named(source: Source, kind: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^model: torch\.export cannot trace it \(.*safetensors"):
        export(_with(source, _Deciding()), kind, tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_what_needs_no_model_is_checked_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = tmp_path / "new"
    with pytest.raises(InputError, match="--quantize=int8: is there for --format=onnx only"):
        check_can_export("mlflow", new, "run", int8=True)
    with pytest.raises(InputError, match="exists already and is no earlier export"):
        check_can_export("mlflow", tmp_path, "run", int8=False)
    (tmp_path / "metadata.json").write_text("[]")
    with pytest.raises(InputError, match="exists already and is no earlier export"):
        check_can_export("mlflow", tmp_path, "run", int8=False)
    there = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "onnxscript" else there(name)
    )
    check_can_export("mlflow", new, "run", int8=False)
    with pytest.raises(InputError, match=r"needs onnxscript; `pip install -c .* '\.\[export\]'`"):
        check_can_export("onnx", new, "run", int8=False)


def test_a_run_that_does_not_classify_has_no_accuracy(source: Source, tmp_path: Path) -> None:
    other = replace(source, trained=replace(source.trained, task=Regression()))
    with pytest.raises(InputError, match="--quantize=int8: its loss is measured as accuracy"):
        export(other, "onnx", tmp_path / "new", int8=True)
    done = export(other, "onnx", tmp_path / "new")
    assert done.accuracy is None
    assert set(done.files) == {"metadata.json", "model.onnx"}


class _Reversed(Classification):
    def targets(self, images: Tensor, labels: Tensor) -> Tensor:
        return 9 - labels


def test_the_accuracy_is_that_of_the_tasks_own_targets(source: Source, run: Summary) -> None:
    other = source_of(run, replace(source.trained, task=_Reversed()))
    assert source.accuracy(source.expected) > 0.5
    assert other.accuracy(source.expected.flip(1)) == source.accuracy(source.expected)


def test_a_module_that_cannot_stand_alone_is_refused(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "mine"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "sizes.py").write_text("")
    (package / "net.py").write_text(
        "from experiments.models import SimpleNet\nfrom . import sizes\n\n"
        "class Net(SimpleNet):\n    pass\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    settings = {**source.trained.settings}
    settings["model"] = {**settings["model"], "_target_": "mine.net.Net"}
    other = replace(source, trained=replace(source.trained, settings=settings))
    with pytest.raises(RunError, match="its module cannot be loaded alone"):
        export(other, "safetensors", tmp_path / "new")
    (tmp_path / "flat.py").write_text(
        (package / "net.py").read_text().replace("from . import sizes\n", "")
    )
    settings["model"]["_target_"] = "flat.Net"
    folder = export(other, "safetensors", tmp_path / "new").folder
    assert "and from the place of the run: experiments" in (folder / "README.md").read_text()


@pytest.mark.parametrize(
    ("tool", "said"),
    [
        ("onnx.save_model", r"onnx cannot check and write it \(ValueError: too large\); --format="),
        ("onnxruntime.quantization.quantize_static", r"quantise it \(ValueError: too large\); le"),
    ],
)
def test_a_model_that_a_later_tool_refuses_is_named(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tool: str, said: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ValueError("too large")

    monkeypatch.setattr(tool, refuse)
    if tool == "onnx.save_model":
        with pytest.raises(InputError, match=said):
            as_onnx.write(source, tmp_path)
        return
    as_onnx.write(source, tmp_path)
    with pytest.raises(InputError, match=said):
        as_onnx_int8.write(source, tmp_path)


def test_an_edited_model_is_not_exported(source: Source, tmp_path: Path) -> None:
    other = replace(source, trained=replace(source.trained, edited=["my_models"]))
    with pytest.raises(InputError, match="my_models has been edited since the training"):
        export(other, "torch_export", tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_a_run_in_mixed_precision_answers_in_it_and_is_exported_in_float32(
    run: Summary, source: Source
) -> None:
    plain = source.trained
    trainer = {**plain.settings["trainer"], "precision": "bf16-mixed"}
    mixed = replace(plain, settings={**plain.settings, "trainer": trainer})
    answers = mixed.logits(source.images)
    assert answers.dtype == torch.float32
    assert not torch.equal(answers, source.expected)
    torch.testing.assert_close(answers, source.expected, rtol=0.05, atol=0.05)
    assert torch.equal(source_of(run, mixed).expected, source.expected)
