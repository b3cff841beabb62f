"""Logged models: the weights of the run as a graph, registered once, also after a kill."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import mlflow
import pytest
import torch
from mlflow import MlflowClient
from mlflow.entities import LoggedModelStatus

from experiments.delivery_process.log_model import log_models
from experiments.errors import InputError
from experiments.run.load_model import load_model
from experiments.tracking import Wishes, ask_for
from experiments.tracking.delivery import Delivery
from experiments.tracking.store import connect
from tests.conftest import EXPERIMENTS, PROJECT, command, forked, run_folder
from tests.programs import provide_database, wait_until
from tests.tracking.conftest import usual

TRAIN = (sys.executable, str(PROJECT / "train.py"))


def test_a_run_s_model_is_logged_and_registered_after_the_command(
    tmp_path: Path, root: str
) -> None:
    wishes = ("tracking.log_model=true", "tracking.register=digits")
    provide_database(tmp_path, ())
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

    ask_for(folder, uri, "digits", None, Wishes(log_model=True, register="digits"))
    assert log_models(client, uri, folder) == []
    best = Wishes(log_model=True, register="best", alias="best")
    for _ in range(2):  # another run may have taken the alias
        assert not ask_for(folder, uri, "digits", None, best)
        assert log_models(client, uri, folder) == [model.model_id]
        assert client.get_model_version_by_alias("best", "best").run_id == run.info.run_id
        client.delete_registered_model_alias("best", "best")
    ask_for(folder, uri, "other", None, Wishes(log_model=True, register="digits"))
    Delivery(folder, uri).deliver(client)
    assert log_models(client, uri, folder) != [model.model_id]
    assert len(client.search_model_versions("name = 'digits'")) == 1
    (copy,) = client.search_runs(["2"])
    logged = mlflow.pytorch.load_model(f"runs:/{copy.info.run_id}/model")
    assert torch.equal(logged(images), load_model(folder)(images))

    (tmp_path / "mlflow.db").unlink()
    done = forked(EXPERIMENTS, "sync", "--rebuild", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert connect(uri).search_model_versions("name = 'best'")


def test_half_a_model_is_completed_and_never_deleted(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, uri = run_folder(finished), f"sqlite:///{finished}/mlflow.db"
    client = connect(uri)
    assert not ask_for(folder, uri, "digits", None, Wishes(log_model=True))
    monkeypatch.setattr(client, "delete_logged_model", None)
    for last in ("create_logged_model", "log_model_artifacts", "log_outputs", "log_batch"):
        with monkeypatch.context() as patch:
            patch.setattr(client, last, answer_lost(getattr(client, last)))
            with pytest.raises(ConnectionError):
                log_models(client, uri, folder)
    (half,) = client.search_logged_models(["1"])
    assert half.status == LoggedModelStatus.PENDING
    assert log_models(client, uri, folder) == [half.model_id]
    (whole,) = client.search_logged_models(["1"])
    assert (whole.model_id, whole.status) == (half.model_id, LoggedModelStatus.READY)
    (run,) = client.search_runs(["1"])
    assert [model.model_id for model in run.outputs.model_outputs] == [half.model_id]
    assert {metric.key: metric.value for metric in whole.metrics} == run.data.metrics
    for key in run.data.metrics:
        assert len(client.get_metric_history(run.info.run_id, key)) == 1
    logged = mlflow.pytorch.load_model(whole.artifact_location)
    images = torch.randn(7, 1, 28, 28)
    assert torch.equal(logged(images), load_model(folder)(images))


def answer_lost(call: Callable[..., object]) -> Callable[..., object]:
    """Return a call to the store whose answer does not arrive."""

    def called(*arguments: object, **named: object) -> object:
        call(*arguments, **named)
        raise ConnectionError

    return called


NO_GRAPH = """
from experiments.models import SimpleNet

class Branching(SimpleNet):
    def forward(self, x):
        return super().forward(x) * (2 if float(x.sum()) > 0 else 1)
"""


@pytest.mark.slow
def test_a_model_without_a_graph_is_refused_once_and_the_reason_told(
    tmp_path: Path, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "branching.py").write_text(NO_GRAPH)
    run = (*TRAIN, *usual(root), "model._target_=branching.Branching")
    environment = {"PYTHONPATH": str(tmp_path)}
    assert command(*run, cwd=tmp_path, **environment).returncode == 0
    folder, uri = run_folder(tmp_path), f"sqlite:///{tmp_path}/mlflow.db"
    ask_for(folder, uri, "digits", None, Wishes(log_model=True))
    with pytest.raises(InputError, match="cannot trace it, so MLflow does not get it"):
        log_models(connect(uri), uri, folder)
    assert log_models(connect(uri), uri, folder) == []
    again = command(*run, cwd=tmp_path, **environment)
    assert "; MLflow has no model of it (" in again.stdout
    client = MlflowClient(uri)
    (found,) = client.search_runs(["1"])
    assert found.data.tags["model_problem"]
    assert client.search_logged_models(["1"]) == []
