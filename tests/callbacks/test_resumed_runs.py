"""Shipped callbacks in real runs: a run stopped in an epoch ends as if never stopped."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from mlflow import MlflowClient

from experiments.run.verify_resume import compare, result
from tests.conftest import run_folder
from tests.programs import finish, wait_for_epoch

USUAL = (
    *("callbacks=[ema,grad_norm,lr_monitor,confusion_matrix]", "callbacks.ema.decay=0.9"),
    *("trainer.epochs=3", "schedule=onecycle"),
)
NAMES = ("epoch_001", "epoch_002", "epoch_003", "test")


def test_stopped_in_an_epoch_a_run_logs_the_same(start, tmp_path: Path) -> None:
    finish(start("whole", *USUAL))
    process = start("parts", *USUAL, held_after=50)
    wait_for_epoch(process, 2)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert "Resuming at epoch 3, batch" in finish(start("parts", *USUAL))
    whole, parts = result(tmp_path / "whole"), result(tmp_path / "parts")
    assert compare(whole, parts) == []
    for key in ("grad_norm", "grad_norm_max", "lr/group_0"):
        assert sum(name == key for name, _ in whole.points) == 3
    tables = [
        [
            (run_folder(tmp_path / place) / f"confusion_matrix/{name}.csv").read_text()
            for name in NAMES
        ]
        for place in ("whole", "parts")
    ]
    assert tables[0] == tables[1]

    client = MlflowClient(f"sqlite:///{tmp_path}/whole/mlflow.db")
    (run_id,) = whole.run_ids
    found = {file.path for file in client.list_artifacts(run_id, "confusion_matrix")}
    assert found == {f"confusion_matrix/{name}.{kind}" for name in NAMES for kind in ("csv", "png")}
    # The matrix and the metric saw the same weights, those of the average.
    rows = tables[0][2].splitlines()[1:]
    right = sum(int(row.split(",")[1 + number]) for number, row in enumerate(rows))
    assert right / 100 == pytest.approx(whole.points["val_accuracy", 3])
