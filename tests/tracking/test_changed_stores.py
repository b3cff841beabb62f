"""A store that was moved, copied, deleted or damaged is repaired, or reported first."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import pytest
from mlflow import MlflowClient
from mlflow.entities import ViewType

from experiments.tracking.sqlite import follow_a_move, sqlite_address
from experiments.tracking.store import connect
from tests.conftest import TRAIN, Program, forked
from tests.programs import finish, release, wait_for_epoch, wait_until
from tests.tracking.conftest import usual
from tests.tracking.test_places import assert_whole, in_store, sync


def artifacts(database: Path) -> dict[Path, list[str]]:
    """Return the artifacts' folder of each run, and MLflow's list of its artifacts."""
    client = MlflowClient(sqlite_address(database))
    return {
        Path(unquote(run.info.artifact_uri.removeprefix("file://"))): sorted(
            artifact.path for artifact in client.list_artifacts(run.info.run_id)
        )
        for run in in_store(database)["digits"]
    }


@pytest.mark.parametrize(
    "how",
    [
        "copied",
        *(
            pytest.param(how, marks=pytest.mark.slow)
            for how in ("moved", "moved to a name with a ?")
        ),
    ],
)
def test_a_project_that_is_elsewhere_has_its_artifacts_there(
    made: Path, root: str, tmp_path: Path, how: str
) -> None:
    before, now = tmp_path / "before", tmp_path / ("is it?" if "?" in how else "now")
    shutil.copytree(made, before)
    (listed,) = artifacts(made / "mlflow.db").values()
    follow_a_move(before / "mlflow.db")
    shutil.copytree(before, now) if how == "copied" else before.rename(now)
    done = forked(TRAIN, *usual(root), "seed=1", cwd=now)
    assert done.returncode == 0, done.stderr
    assert before.exists() == (how == "copied")
    found = artifacts(now / "mlflow.db")
    assert len(found) == 2
    for place, names in found.items():
        assert place.is_relative_to(now / "outputs" / "mlflow")
        assert names == listed
    if how == "copied":
        (kept,) = artifacts(before / "mlflow.db")
        assert kept.is_relative_to(before)
    again = forked(TRAIN, *usual(root), cwd=now)
    assert again.stdout.startswith("Finished before: ")
    assert len(artifacts(now / "mlflow.db")) == 2
    assert "had no need" in sync(now).stdout
    assert {path.name for path in tmp_path.iterdir()} <= {before.name, now.name}


@pytest.mark.slow
def test_a_stopped_run_of_a_copied_project_goes_on_in_the_copy(
    start: Callable, tmp_path: Path
) -> None:
    process = start("parts", held_after=50)
    wait_for_epoch(process, 2)
    process.terminate()
    process.communicate(timeout=60)
    shutil.copytree(tmp_path / "parts", tmp_path / "copy")
    assert "Resuming at epoch" in finish(start("copy"))
    assert_whole(tmp_path / "copy" / "mlflow.db")
    ((run,),) = in_store(tmp_path / "parts" / "mlflow.db").values()
    assert run.info.status == "KILLED"


@pytest.mark.slow
def test_a_deleted_experiment_is_said_at_the_start(
    offline: Program, finished: Path, tmp_path: Path
) -> None:
    client = connect(f"sqlite:///{tmp_path}/mlflow.db")
    experiment = client.get_experiment_by_name("digits").experiment_id
    client.delete_experiment(experiment)
    before = sorted(tmp_path.glob("outputs/*/*"))
    done = offline("tracking=mlflow", "seed=1")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: tracking.experiment=digits: is deleted in MLflow; bring it back")
    assert f"mlflow experiments restore --experiment-id {experiment}`" in line
    assert sorted(tmp_path.glob("outputs/*/*")) == before

    refused = offline("tracking=mlflow")  # the first of its runs is finished
    assert "tracking.experiment=digits: is deleted in MLflow; bring it back" in refused.stdout
    lost = sync(tmp_path)
    assert lost.returncode == 1
    assert "`experiments sync --rebuild` brings them back" in lost.stderr
    assert "1 delivered" in sync(tmp_path, "--rebuild").stdout
    assert_whole(tmp_path / "mlflow.db")
    assert offline("tracking=mlflow", "seed=1").returncode == 0


@pytest.mark.parametrize("by", ["the same command", "sync --rebuild"])
@pytest.mark.parametrize("how", ["deleted", pytest.param("gone for good", marks=pytest.mark.slow)])
def test_a_finished_run_that_was_deleted_comes_back_when_asked_for(
    offline: Program, finished: Path, tmp_path: Path, by: str, how: str
) -> None:
    run = assert_whole(tmp_path / "mlflow.db")
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    if how == "deleted":
        client.delete_run(run.info.run_id)
    else:
        client._tracking_client.store._hard_delete_run(run.info.run_id)
    done = offline("tracking=mlflow") if by == "the same command" else sync(tmp_path, "--rebuild")
    assert done.returncode == 0, done.stderr
    back = assert_whole(tmp_path / "mlflow.db")
    assert back.info.run_id == run.info.run_id


@pytest.mark.slow
def test_a_stopped_run_that_was_deleted_is_restored_by_going_on(
    start: Callable, tmp_path: Path
) -> None:
    process = start("parts", held_after=50)
    wait_for_epoch(process, 2)
    process.terminate()
    process.communicate(timeout=60)
    database = tmp_path / "parts" / "mlflow.db"
    ((run,),) = in_store(database).values()
    MlflowClient(f"sqlite:///{database}").delete_run(run.info.run_id)
    finish(start("parts"))
    assert assert_whole(database).info.run_id == run.info.run_id


@pytest.mark.slow
def test_a_run_deleted_while_it_trains_is_said_with_what_restores_it(
    start: Callable, tmp_path: Path
) -> None:
    process = start("parts", held_after=50)
    wait_for_epoch(process, 2)
    database = tmp_path / "parts" / "mlflow.db"
    wait_until(lambda: database.exists() and any(in_store(database).values()))
    ((run,),) = in_store(database).values()
    client = MlflowClient(f"sqlite:///{database}")
    client.delete_run(run.info.run_id)
    release(tmp_path)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert "the run was deleted in MLflow; `experiments sync --rebuild` restores it" in output
    assert "Nothing is lost" not in output
    plain = sync(tmp_path / "parts")
    assert plain.returncode == 1
    assert len(plain.stderr.splitlines()) == 1
    assert "1 delivered" in sync(tmp_path / "parts", "--rebuild").stdout
    assert_whole(tmp_path / "parts" / "mlflow.db")
    assert client.search_runs(["1"], run_view_type=ViewType.DELETED_ONLY) == []


@pytest.mark.slow
def test_an_older_backup_gets_the_missing_part_of_a_run(start: Callable, tmp_path: Path) -> None:
    process = start("parts", held_after=50)
    wait_for_epoch(process, 2)
    database, backup = tmp_path / "parts" / "mlflow.db", tmp_path / "backup.db"
    wait_until(lambda: any(run.data.metrics for run in in_store(database).get("digits", [])))
    with (
        contextlib.closing(sqlite3.connect(database)) as present,
        contextlib.closing(sqlite3.connect(backup)) as copy,
    ):
        present.backup(copy)
    release(tmp_path)
    finish(process)
    points = len(
        MlflowClient(sqlite_address(database)).get_metric_history(
            in_store(database)["digits"][0].info.run_id, "train_loss"
        )
    )
    shutil.copy(backup, database)
    assert in_store(database)["digits"][0].info.status == "RUNNING"
    assert "1 delivered" in sync(tmp_path / "parts", "--rebuild").stdout
    run = assert_whole(database)
    client = MlflowClient(sqlite_address(database))
    assert len(client.get_metric_history(run.info.run_id, "train_loss")) == points == 6
    assert "1 had no need" in sync(tmp_path / "parts", "--rebuild").stdout
