"""MLflow's functions report to the journal of the current run, or say in one line why not."""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import threading
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient

from experiments import journal
from experiments.errors import RunError
from experiments.tracking.current_run import current, logged_to, refused, trial
from experiments.tracking.environment import for_other_processes
from experiments.tracking.recorder import Recorder
from tests.mlflow_plugin.conftest import points, running
from tests.redaction.test_hide import Shrinking
from tests.tracking.recorded_run import recorded


def test_a_step_is_the_user_s_and_none_is_the_epoch(run: Recorder) -> None:
    for step in (1, 2):
        mlflow.log_metric("own", step / 2, step=step)
    mlflow.log_metric("loss_ratio", 0.25)
    mlflow.log_metric("loss_ratio", 0.75)  # the last of an epoch counts
    assert points(run) == {("own", 1): 0.5, ("own", 2): 1.0}
    run.metrics({"train_loss": 1.0, **run.values_of_epoch()}, 3)
    assert points(run)["loss_ratio", 3] == 0.75
    assert ("loss_ratio", 0) not in points(run)


def test_steps_of_a_loop_from_0_on_are_the_user_s(run: Recorder) -> None:
    for step in range(3):
        mlflow.log_metric("inner", step, step=step)
    mlflow.log_metric("inner", 9, step=0)
    assert points(run) == {("inner", 0): 9.0, ("inner", 1): 1.0, ("inner", 2): 2.0}
    assert run.values_of_epoch() == {}


def test_values_are_numbers_of_every_kind(run: Recorder) -> None:
    import numpy as np
    import torch

    values = {"float": 0.5, "int": 2, "numpy": np.float32(0.5), "tensor": torch.tensor([0.5])}
    mlflow.log_metrics({**values, "nan": float("nan"), "inf": float("inf")}, step=1)
    found = {key: value for (key, _), value in points(run).items()}
    assert math.isnan(found.pop("nan"))
    assert found == {"float": 0.5, "int": 2.0, "numpy": 0.5, "tensor": 0.5, "inf": float("inf")}


def test_every_way_leads_to_the_run(run: Recorder) -> None:
    run_id = mlflow.start_run().info.run_id
    assert mlflow.active_run().info.run_id == run_id == current().id
    MlflowClient().log_metric(run_id, "client", 1.0, step=1)
    mlflow.log_metric("by_id", 1.0, step=1, run_id=run_id)
    mlflow.log_metric("async", 1.0, step=1, synchronous=False)
    with mlflow.start_run(nested=True, run_name="child", tags={"fold": "1"}) as child:
        assert child.info.run_id == run_id
        mlflow.log_metric("nested", 1.0, step=1)
    mlflow.end_run()
    with mlflow.start_run(description="about it"):
        mlflow.log_metric("again", 1.0, step=1)
    mlflow.set_experiment("e")
    thread = threading.Thread(target=lambda: mlflow.log_metric("thread", 1.0, step=1))
    thread.start()
    thread.join()
    assert set(points(run)) == {
        (name, 1) for name in ("client", "by_id", "async", "nested", "again", "thread")
    }
    past = journal.history(run.folder)
    assert past.tags == {"fold": "1", "mlflow.note.content": "about it"}
    assert past.status is None  # the run goes on


def test_the_run_can_be_read(run: Recorder) -> None:
    mlflow.log_param("found", 3)
    mlflow.log_metric("own", 0.5, step=1)
    data = mlflow.get_run(mlflow.active_run().info.run_id).data
    assert data.params == {"optimizer.lr": "0.01", "found": "3"}
    assert data.metrics == {"own": 0.5}
    assert data.tags["device"] == "cpu"


def test_parameters_and_tags(run: Recorder) -> None:
    mlflow.log_params({"found": 3, "optimizer.lr": 0.01})
    mlflow.log_param("found", 3)
    mlflow.set_tags({"stage": "a", "url": "https://user:pass-of-a-user@host/x"})
    past = journal.history(run.folder)
    assert past.params == {"found": "3"}  # what is there is not logged twice
    assert past.tags["stage"] == "a"
    assert "pass-of-a-user" not in (run.folder / journal.NAME).read_text()


def test_artifacts_lie_in_the_run_s_folder(run: Recorder, tmp_path: Path) -> None:
    mlflow.log_text("text", "texts/a.txt")
    mlflow.log_dict({"a": 1}, "a.json")
    folder = tmp_path / "run" / ".more"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "b.txt").write_text("b")
    mlflow.log_artifacts(str(folder), "more")
    mlflow.log_artifact(str(folder / "deep" / "b.txt"))
    from PIL import Image

    mlflow.log_image(Image.new("RGB", (2, 2)), key="image", step=1)  # MLflow does this in a thread
    names = journal.history(run.folder).artifacts
    images = {name for name in names if name.startswith("images/")}
    assert names - images == {"texts/a.txt", "a.json", "more/deep/b.txt", "b.txt"}
    assert len(images) == 2
    assert all((run.folder / name).is_file() for name in names)


def test_a_resumed_run_skips_the_points_that_it_has(tmp_path: Path) -> None:
    for killed in (True, False):
        with contextlib.suppress(KeyboardInterrupt), running(tmp_path / "run") as run:
            mlflow.log_metric("own", 0.5, step=1)
            mlflow.log_param("found", 3)
            if killed:
                raise KeyboardInterrupt
            mlflow.log_metric("own", 0.75, step=2)
    events = [event for event in journal.read(run.folder)[0] if event["event"] == "metrics"]
    assert [(event["metrics"], event["step"]) for event in events] == [
        ({"own": 0.5}, 1),
        ({"own": 0.75}, 2),
    ]


def test_each_run_of_a_process_gets_its_own(tmp_path: Path) -> None:
    for number in (1, 2):
        with running(tmp_path / f"run{number}"):
            mlflow.log_metric("own", number, step=1)
    for number in (1, 2):
        assert journal.history(tmp_path / f"run{number}").points == {("own", 1): number}


def test_after_the_run_everything_is_as_before(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///elsewhere.db")
    monkeypatch.setenv("MLFLOW_RUN_ID", "1" * 32)
    before = dict(os.environ)
    with running(tmp_path / "run"):
        assert mlflow.get_tracking_uri() == "experiments://run"
        mlflow.log_metric("own", 1.0)
    assert dict(os.environ) == before
    assert mlflow.active_run() is None
    with pytest.raises(RunError, match="this process trains no run"):
        current()


def test_processes_of_ours_are_not_sent_to_the_run(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///elsewhere.db")
    monkeypatch.delenv("MLFLOW_RUN_ID", raising=False)
    before = dict(os.environ)
    with running(tmp_path / "run"):
        assert for_other_processes() == before
    assert for_other_processes() == before


def test_a_variable_may_be_removed_while_the_environment_is_copied(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "environ", Shrinking({"MINE": "1"}))
        assert for_other_processes() == {"MINE": "1"}


def test_a_store_that_the_user_names_is_the_user_s(tmp_path: Path) -> None:
    own = f"sqlite:///{tmp_path}/own.db"
    with running(tmp_path / "run") as run:
        mlflow.log_metric("ours", 1.0, step=1)
        client = MlflowClient(own)
        client.log_metric(client.create_run("0").info.run_id, "theirs", 1.0)
        mlflow.set_tracking_uri(own)
    try:
        assert mlflow.get_tracking_uri() == own
        assert mlflow.active_run() is None
        assert points(run) == {("ours", 1): 1.0}
        (theirs,) = client.search_runs(["0"])
        assert theirs.data.metrics == {"theirs": 1.0}
    finally:
        mlflow.set_tracking_uri(None)


def test_a_trial_logs_nowhere(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with trial():
        mlflow.log_metric("own", 1.0)
        mlflow.log_param("a", 1)
        mlflow.set_experiment("any")
        mlflow.log_text("text", "a.txt")
        folder = current().folder
        assert (folder / "a.txt").exists()
    assert mlflow.active_run() is None
    assert not folder.exists()
    assert list(tmp_path.iterdir()) == []


def test_a_stack_of_jobs_is_refused(tmp_path: Path) -> None:
    with recorded(tmp_path / "one", {}) as one, recorded(tmp_path / "two", {}) as two:  # noqa: SIM117
        with logged_to(one), logged_to(two), refused():
            with pytest.raises(RunError, match="a stack of jobs trains as one model"):
                mlflow.log_metric("own", 1.0)
    assert points(one) == points(two) == {}


def _log() -> None:
    mlflow.log_metric("own", 1.0)


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork")
def test_a_child_process_has_no_run(run: Recorder) -> None:
    child = multiprocessing.get_context("fork").Process(target=_log)
    child.start()
    child.join(60)
    assert child.exitcode == 1
    assert points(run) == {} == run.values_of_epoch()
