"""Logged models: the weights of the run as a graph, registered once, also after a kill."""

from __future__ import annotations

import sys
from pathlib import Path

import mlflow
import torch
from mlflow import MlflowClient
from mlflow.entities import LoggedModelStatus

from experiments.delivery_process.log_model import log_models
from experiments.run.load_model import load_model
from experiments.tracking import Wishes, ask_for
from experiments.tracking.store import connect
from tests.conftest import PROJECT, command, run_folder
from tests.programs import wait_until
from tests.tracking.conftest import usual

TRAIN = (sys.executable, str(PROJECT / "train.py"))


def test_a_run_s_model_is_logged_and_registered_after_the_command(
    tmp_path: Path, root: str
) -> None:
    wishes = ("tracking.log_model=true", "tracking.register=digits")
    done = command(*TRAIN, *usual(root), *wishes, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    folder, uri = run_folder(tmp_path), f"sqlite:///{tmp_path}/mlflow.db"
    client = connect(uri)
    wait_until(lambda: client.search_model_versions("name = 'digits'"))
    (run,) = client.search_runs(["1"])
    (model,) = client.search_logged_models(["1"])
    assert (model.source_run_id, model.status) == (run.info.run_id, LoggedModelStatus.READY)
    measured = {metric.key: metric.value for metric in model.metrics}
    assert measured["test_accuracy"] == run.data.metrics["test_accuracy"]
    assert list(Path(model.artifact_location.removeprefix("file://")).rglob("*.pkl")) == []

    mlflow.set_tracking_uri(uri)
    images = torch.randn(7, 1, 28, 28)
    for address in (f"runs:/{run.info.run_id}/model", "models:/digits/1"):
        logged = mlflow.pytorch.load_model(address)
        assert torch.equal(logged(images), load_model(folder)(images))

    ask_for(folder, uri, "mnist", None, Wishes(log_model=True, register="digits"))
    assert log_models(client, uri, folder) == []
    ask_for(folder, uri, "mnist", None, Wishes(log_model=True, register="best", alias="best"))
    assert log_models(client, uri, folder) == [model.model_id]
    assert client.get_model_version_by_alias("best", "best").run_id == run.info.run_id
    assert len(client.search_logged_models(["1"])) == 1


def test_half_a_model_is_replaced(finished: Path) -> None:
    folder, uri = run_folder(finished), f"sqlite:///{finished}/mlflow.db"
    client = MlflowClient(uri)
    (run,) = client.search_runs(["1"])
    half = client.create_logged_model("1", name="model", source_run_id=run.info.run_id)
    assert not ask_for(folder, uri, "mnist", None, Wishes(log_model=True))
    (whole,) = log_models(connect(uri), uri, folder)
    (found,) = client.search_logged_models(["1"])
    assert found.model_id == whole != half.model_id
    assert ask_for(folder, uri, "mnist", None)
