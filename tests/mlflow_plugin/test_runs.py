"""A user's calls of MLflow's functions in real runs: from the model, callbacks and threads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from experiments import journal
from tests.conftest import PROJECT, clean_environment, run_folder
from tests.faults.servers import mlflow_server
from tests.programs import cleaned_up, finish, holding, provide_database, release, wait_until

CALLING = '''
import os
import threading
import time

import mlflow
import torch
from matplotlib.figure import Figure
from torch import nn

from experiments.callbacks import Callback
from experiments.models import SimpleNet


class Net(SimpleNet):
    """Logs the size of every batch at a step of its own, and holds where a test wants it to."""

    def __init__(self, **sizes):
        super().__init__(**sizes)
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def forward(self, x):
        if self.training:
            self.steps += 1
            mlflow.log_metric("examples", len(x), step=int(self.steps))
            until = time.monotonic() + (int(self.steps) > 30)
            while os.path.exists(os.environ.get("HOLD", "")) and time.monotonic() < until:
                time.sleep(0.01)
        return super().forward(x)


class Calls(Callback):
    def on_epoch_end(self, training, metrics):
        epoch = training.epoch
        with mlflow.start_run(run_name="nested"):
            mlflow.log_metrics({"half": torch.tensor(epoch / 2), "nothing": float("nan")})
            mlflow.log_params({"found": 3, "kind": "deep"})
            mlflow.set_tag("stage", f"epoch {epoch}")
            mlflow.log_text("text", f"texts/epoch_{epoch}.txt")
            figure = Figure()
            figure.add_subplot().plot([1, epoch])
            mlflow.log_figure(figure, "plots/line.png")
        thread = threading.Thread(target=lambda: mlflow.log_metric("thread", 1.0, step=epoch))
        thread.start()
        thread.join()

    def on_test_end(self, training, metrics):
        mlflow.log_metric("after_test", metrics["test_accuracy"])


class Mistaken(Callback):
    def on_epoch_end(self, training, metrics):
        mlflow.log_param("optimizer.lr", 1)
'''

USUAL = ("data=digits", "trainer.epochs=2", "model._target_=calling.Net")
CALLS = "+callbacks.calls._target_=calling.Calls"


def start(folder: Path, root: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    folder.mkdir(exist_ok=True)
    (folder / "calling.py").write_text(CALLING)
    provide_database(folder, arguments)
    process = subprocess.Popen(
        (sys.executable, str(PROJECT / "train.py"), *arguments, f"data.root={root}", *USUAL),
        cwd=folder,
        env=clean_environment() | {"PYTHONPATH": str(folder)} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    return cleaned_up(process)


def runs_in(client: MlflowClient) -> list[Run]:
    experiments = client.search_experiments()
    return [run for each in experiments for run in client.search_runs([each.experiment_id])]


def assert_logged(client: MlflowClient, run: Run) -> None:
    """Check that a run of two epochs has everything that it logged, once."""
    run_id = run.info.run_id

    def points(key: str) -> list[tuple[int, float]]:
        return [(each.step, each.value) for each in client.get_metric_history(run_id, key)]

    assert run.info.status == "FINISHED"
    assert len(points("examples")) == 48
    assert sorted(step for step, _ in points("examples")) == list(range(1, 49))
    assert points("half") == [(1, 0.5), (2, 1.0)]
    assert points("thread") == [(1, 1.0), (2, 1.0)]
    assert len(points("nothing")) == 2
    assert points("after_test") == [(2, run.data.metrics["test_accuracy"])]
    assert {key: run.data.params[key] for key in ("found", "kind")} == {
        "found": "3",
        "kind": "deep",
    }
    assert run.data.tags["stage"] == "epoch 2"
    assert run.info.run_name != "nested"
    names = [
        file.path for part in ("texts", "plots") for file in client.list_artifacts(run_id, part)
    ]
    assert names == ["texts/epoch_1.txt", "texts/epoch_2.txt", "plots/line.png"]


@pytest.fixture(scope="module")
def resumed(tmp_path_factory: pytest.TempPathFactory, root: str) -> Path:
    """A run that was killed in the second epoch and then resumed."""
    folder = tmp_path_factory.mktemp("resumed")
    process = start(folder, root, CALLS, **holding(folder))
    wait_until(lambda: list(folder.glob("outputs/*/*/checkpoints/*.safetensors")))
    wait_until(lambda: ("examples", 31) in journal.history(run_folder(folder)).points)
    process.kill()
    process.communicate()
    release(folder)
    output = finish(start(folder, root, CALLS))
    assert "Resuming at epoch 2" in output
    return folder


def test_a_killed_run_has_every_value_once(resumed: Path) -> None:
    client = MlflowClient(f"sqlite:///{resumed}/mlflow.db")
    (run,) = runs_in(client)
    assert_logged(client, run)
    # MLflow would make these.
    assert not (resumed / "mlruns").exists()
    assert not (resumed / "mlartifacts").exists()


def test_without_mlflow_the_journal_has_it(root: str, tmp_path: Path) -> None:
    finish(start(tmp_path, root, CALLS, "tracking=none"))
    past = journal.history(run_folder(tmp_path))
    assert [past.points["half", epoch] for epoch in (1, 2)] == [0.5, 1.0]
    assert past.params == {"found": "3", "kind": "deep"}
    assert past.artifacts >= {"texts/epoch_1.txt", "plots/line.png"}
    assert not (tmp_path / "mlflow.db").exists()


@pytest.mark.parametrize("launcher", ["basic", pytest.param("vectorized", marks=pytest.mark.slow)])
def test_each_job_of_a_sweep_gets_its_own(root: str, tmp_path: Path, launcher: str) -> None:
    calls = (CALLS,) if launcher == "basic" else ()  # lanes take no callbacks at all
    output = finish(start(tmp_path, root, "-m", "seed=0,1", f"hydra/launcher={launcher}", *calls))
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    jobs = [run for run in runs_in(client) if "mlflow.parentRunId" in run.data.tags]
    assert len(jobs) == 2
    for job in jobs:
        examples = client.get_metric_history(job.info.run_id, "examples")
        assert sorted(point.step for point in examples) == list(range(1, 49))
        if calls:
            assert_logged(client, job)
    assert len(runs_in(client)) == 3
    if launcher == "vectorized":
        assert "a stack of jobs trains as one model" in output


@pytest.mark.slow
def test_a_server_gets_the_same(root: str, tmp_path: Path) -> None:
    (tmp_path / "server").mkdir()
    with mlflow_server(tmp_path / "server") as server:
        finish(start(tmp_path, root, CALLS, f"tracking.uri={server.address}"))
        client = MlflowClient(server.address)
        (run,) = runs_in(client)
        assert_logged(client, run)


def test_a_mistake_fails_the_run_in_one_line(root: str, tmp_path: Path) -> None:
    mistake = "callbacks.wrong._target_=calling.Mistaken"
    process = start(tmp_path, root, "tracking=none", f"+{mistake}")
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert errors.startswith(
        "error: mlflow.log_param('optimizer.lr', '1'): the configuration gives optimizer.lr the "
        "value 0.01"
    )
    assert len(errors.splitlines()) == 1
