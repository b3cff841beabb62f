"""`experiments export` writes and tells an export, and refuses mistakes in one line."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from typer import TyperException

from experiments.catalog.summary import Summary
from experiments.errors import InputError
from tests.exporting.conftest import Command

pytestmark = pytest.mark.xdist_group("exporting")  # one run for all


def test_an_export_lies_in_the_folder_of_its_run(command: Command, run: Summary) -> None:
    first, checked, accuracy, registered = command(
        *("export", run.short, "--format", "onnx", "--quantize", "int8"),
        *("--register", "by_command"),
    ).splitlines()
    place = os.path.relpath(run.folder / "export" / "onnx")
    assert first.startswith(f"{place} (")
    assert first.endswith("model.int8.onnx, model.onnx, predict_onnx.py, preparation.py")
    assert checked.startswith("Checked: the answers to all 297 test images, in batches of 1, 7 and")
    assert accuracy.startswith("Accuracy on them: ")
    assert registered == f"Registered as by_command, version 1, of the MLflow run {run.mlflow_id}"


def test_an_export_is_told_as_json(command: Command, run: Summary, tmp_path: Path) -> None:
    place = tmp_path / "mine"
    told = json.loads(
        command(
            *("export", run.short, "--format=torch_export", f"--output={place}", "--json"),
        )
    )
    assert told["folder"] == os.path.relpath(place)
    assert told["files"]["model.pt2"] == (place / "model.pt2").stat().st_size
    assert told["agreement"]["images"] == 297
    assert told["registered"] is None


def test_mistakes_are_one_line(command: Command, run: Summary, tmp_path: Path) -> None:
    mistakes = {
        ("nowhere", "--format=onnx"): "nowhere: no run in outputs has an id that begins so",
        (run.short, "--format=mlflow", "--quantize=int8"): "--quantize=int8: is there for",
        (run.short, "--format=mlflow", f"--output={tmp_path}"): "exists already and is no earlier",
        (run.short, "--format=safetensors", "--register=a"): "MLflow registers --format=mlflow",
    }
    for arguments, said in mistakes.items():
        with pytest.raises(InputError, match=said):
            command("export", *arguments)
    with pytest.raises(TyperException, match="'onx' is not one of 'mlflow', 'onnx'"):
        command("export", run.short, "--format=onx")
    assert list(tmp_path.iterdir()) == []


def test_an_unfinished_run_and_missing_weights_or_data_are_refused(
    command: Command, run: Summary, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = run.folder / "weights.safetensors"
    weights.rename(weights.with_suffix(".away"))
    try:
        with pytest.raises(InputError, match=r"weights\.safetensors: there is no such file; a run"):
            command("export", run.short, "--format=mlflow")
    finally:
        weights.with_suffix(".away").rename(weights)
    monkeypatch.setattr("experiments.data.datasets.Digits.is_fetched", lambda *_: False)
    with pytest.raises(InputError, match="the files of the data set are not there"):
        command("export", run.short, "--format=mlflow")
    from dataclasses import replace

    monkeypatch.setattr(
        "experiments.catalog.find.find_run", lambda *_: replace(run, state="diverged")
    )
    with pytest.raises(InputError, match="is diverged, and only a finished run has a model"):
        command("export", run.short, "--format=mlflow")
