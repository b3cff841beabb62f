"""`experiments sync` delivers missing data to MLflow, and lost runs again."""

from __future__ import annotations

import errno
import json
import os
import subprocess
from pathlib import Path

import pytest
from mlflow import MlflowClient

from experiments import journal
from experiments.delivery_process.sync import sync
from tests.conftest import EXPERIMENTS, Program, forked, run_folder
from tests.programs import provide_database, start, wait_for_epoch
from tests.test_end_to_end import recorded


def test_a_dead_tracking_server_costs_a_warning(offline: Program, tmp_path: Path) -> None:
    done = offline("tracking.uri=http://127.0.0.1:9")
    assert done.returncode == 0, done.stderr
    assert "The run goes on, and `experiments sync` delivers it later" in done.stdout
    assert "MLflow has not taken all of this run" in done.stdout
    assert (run_folder(tmp_path) / "weights.safetensors").exists()

    uri = f"sqlite:///{tmp_path}/mlflow.db"
    provide_database(tmp_path, ())
    refused = experiments("sync", cwd=tmp_path)
    assert refused.returncode == 1
    assert "nothing listens there (connection refused)" in refused.stderr
    (run_folder(tmp_path) / "mlflow.json").unlink(missing_ok=True)
    for delivered, no_need in ((1, 0), (0, 1)):
        synced = experiments("sync", "outputs", "--uri", uri, cwd=tmp_path)
        assert synced.returncode == 0, synced.stderr
        summary = f"{delivered} delivered, 0 failed, 0 still running, {no_need} had no need"
        assert synced.stdout.splitlines()[-1] == summary
    _, run = recorded(tmp_path)
    assert run.info.status == "FINISHED"
    assert run.data.metrics["test_accuracy"] > 0.5


@pytest.mark.slow
def test_sync_finds_the_run_that_was_killed_while_the_server_was_down(
    tmp_path: Path, root: str
) -> None:
    overrides = ("trainer.epochs=1000", "tracking.uri=http://127.0.0.1:9")
    process = start(tmp_path, root, "Slow", *overrides)
    wait_for_epoch(process, 1)
    assert experiments("sync", cwd=tmp_path).stdout == (
        "0 delivered, 0 failed, 1 still running, 0 had no need\n"
    )
    process.kill()
    process.communicate(timeout=60)
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    synced = experiments("sync", "--uri", uri, cwd=tmp_path)
    assert synced.stdout.endswith("1 delivered, 0 failed, 0 still running, 0 had no need\n")
    _, run = recorded(tmp_path)
    assert run.info.status == "KILLED"
    assert run.data.metrics["train_loss"] > 0


def test_sync_leaves_a_run_without_tracking_alone(offline: Program, tmp_path: Path) -> None:
    assert offline().returncode == 0
    done = experiments("sync", cwd=tmp_path)
    assert done.stdout == "0 delivered, 0 failed, 0 still running, 1 had no need\n"


@pytest.mark.slow
def test_sync_is_told_as_json(offline: Program, tmp_path: Path) -> None:
    assert offline("tracking.uri=http://127.0.0.1:9").returncode == 0
    folder = str(run_folder(tmp_path).relative_to(tmp_path))
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    counts = {"delivered": 0, "failed": 0, "still_running": 0, "had_no_need": 0}
    for arguments, outcome in (
        ((), "failed"),
        (("--uri", uri), "delivered"),
        (("--uri", uri), "had_no_need"),
    ):
        done = experiments("sync", *arguments, "--json", cwd=tmp_path)
        assert (done.returncode, done.stderr) == (int(outcome == "failed"), "")
        told = json.loads(done.stdout)
        (run,) = told.pop("runs")
        assert told == counts | {outcome: 1}
        assert (run["folder"], run["outcome"]) == (folder, outcome)
        said = {"failed": "nothing listens there", "delivered": "MLflow run ", "had_no_need": ""}
        assert said[outcome] in run["said"]
        assert bool(run["said"]) == (outcome != "had_no_need")


@pytest.mark.parametrize("error", [errno.EACCES, errno.EIO])
def test_a_folder_that_cannot_be_read_fails_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    monkeypatch.chdir(tmp_path)
    closed, other = Path("outputs/closed"), Path("outputs/other")
    for folder in (closed, other):
        folder.mkdir(parents=True)
        (folder / journal.NAME).touch()
    scandir = os.scandir

    def refusing(place: Path):  # a mode would not stop the superuser
        if Path(place) == closed:
            raise OSError(error, os.strerror(error), str(place))
        return scandir(place)

    monkeypatch.setattr(os, "scandir", refusing)
    told = list(sync(Path("outputs"), None, rebuild=False))
    assert [(each.folder, each.outcome) for each in told] == [
        (closed, "failed"),
        (other, "had no need"),
    ]
    assert told[0].said.startswith(f"{closed}: cannot be read ({os.strerror(error)}); make it")


def test_sync_refuses_a_folder_that_is_not_there(tmp_path: Path) -> None:
    done = experiments("sync", "nowhere", cwd=tmp_path)
    assert done.returncode == 2
    assert (
        done.stderr
        == "error: nowhere: there is no such folder; name the folder that holds the runs\n"
    )


def experiments(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return forked(EXPERIMENTS, *arguments, cwd=cwd)


def test_a_lost_database_is_rebuilt_from_the_journals(offline: Program, tmp_path: Path) -> None:
    for overrides in (
        *(("seed=1", "trainer.epochs=2"), ("seed=2", "tracking.experiment=other")),
        ("seed=3", "optimizer.lr=1e30"),
    ):
        assert offline("tracking=mlflow", *overrides).returncode == 0
    before = contents(tmp_path / "mlflow.db")
    assert len(before) == 3
    (tmp_path / "mlflow.db").rename(tmp_path / "lost.db")
    done = experiments("sync", "--rebuild", cwd=tmp_path)
    assert done.stdout.splitlines()[-1] == (
        "3 delivered, 0 failed, 0 still running, 0 had no need"
    ), done.stderr
    assert contents(tmp_path / "mlflow.db") == before
    again = experiments("sync", "--rebuild", cwd=tmp_path)
    assert again.stdout == "0 delivered, 0 failed, 0 still running, 3 had no need\n"


def contents(database: Path) -> dict[str, object]:
    """Return the data of every run in MLflow, by the run's id."""

    client = MlflowClient(f"sqlite:///{database}")
    experiments = client.search_experiments()
    return {
        run.info.run_id: (
            [e.name for e in experiments if e.experiment_id == run.info.experiment_id],
            dict(run.info) | {"status": run.info.status},
            {key: run.data.tags[key] for key in run.data.tags},
            run.data.params,
            {
                key: sorted(map(repr, client.get_metric_history(run.info.run_id, key)))
                for key in run.data.metrics
            },
            [repr(each.dataset.to_dictionary()) for each in run.inputs.dataset_inputs],
            sorted(artifact.path for artifact in client.list_artifacts(run.info.run_id)),
        )
        for run in client.search_runs([e.experiment_id for e in experiments])
    }
