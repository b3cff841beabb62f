"""A run is in each place in MLflow that was asked for, once and whole."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from experiments.tracking.sqlite import sqlite_address
from experiments.tracking.store import connect
from tests.conftest import EXPERIMENTS, Program, command, forked, run_folder
from tests.programs import finish, wait_for_epoch
from tests.tracking.conftest import TRAIN, usual


def in_store(database: Path) -> dict[str, list[Run]]:
    """Return the runs of a store by the names of their experiments."""
    client = connect(sqlite_address(database))
    return {
        experiment.name: client.search_runs([experiment.experiment_id])
        for experiment in client.search_experiments()
        if experiment.name != "Default"
    }


def assert_whole(database: Path, experiment: str = "digits") -> Run:
    (run,) = in_store(database)[experiment]
    client = MlflowClient(sqlite_address(database))
    assert run.info.status == "FINISHED"
    assert run.data.metrics["test_accuracy"] > 0
    assert run.data.params["optimizer.lr"] == "0.01"
    names = {artifact.path for artifact in client.list_artifacts(run.info.run_id)}
    assert "weights.safetensors" in names
    for key in run.data.metrics:
        steps = [point.step for point in client.get_metric_history(run.info.run_id, key)]
        assert len(steps) == len(set(steps))
    return run


@pytest.mark.parametrize(
    ("override", "environment", "database", "experiment"),
    [
        pytest.param(
            *((), {"MLFLOW_TRACKING_URI": "sqlite:///other.db"}, "other.db", "digits"),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            *(("tracking.uri=sqlite:///folder/other.db",), {}, "folder/other.db", "digits"),
            marks=pytest.mark.slow,
        ),
        (("tracking.experiment=other",), {}, "mlflow.db", "other"),
    ],
    ids=["another store by the environment", "another store", "another experiment"],
)
def test_a_finished_run_asked_for_elsewhere_is_there_too(
    offline: Program,
    finished: Path,
    override: tuple[str, ...],
    environment: dict[str, str],
    database: str,
    experiment: str,
) -> None:
    for _ in range(2):
        done = offline("tracking=mlflow", *override, **environment)
        assert done.returncode == 0, done.stderr
        run = assert_whole(finished / database, experiment)
        assert done.stdout.startswith("Finished before: ")
        assert f"MLflow run {run.info.run_id})" in done.stdout
    assert_whole(finished / "mlflow.db")
    assert run_folder(finished)


@pytest.mark.slow
def test_begun_without_tracking_a_finished_run_is_recorded_when_asked_for(
    offline: Program, tmp_path: Path
) -> None:
    assert offline().returncode == 0
    assert offline("tracking=mlflow").stdout.startswith("Finished before: ")
    assert_whole(tmp_path / "mlflow.db")


def sync(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return forked(EXPERIMENTS, "sync", *arguments, cwd=folder)


@pytest.mark.slow
def test_sync_takes_a_run_to_another_store_once(finished: Path) -> None:
    run = str(run_folder(finished))
    for arguments, outcome in (
        ([], "delivered"),
        ([], "had no need"),
        (["--rebuild"], "had no need"),
    ):
        done = sync(finished, run, "--uri", "sqlite:///other.db", *arguments)
        assert done.returncode == 0, done.stderr
        assert f"1 {outcome}" in done.stdout
    assert_whole(finished / "other.db")
    for arguments in ([], ["--rebuild"]):
        assert "1 had no need" in sync(finished, *arguments).stdout
    assert_whole(finished / "mlflow.db")


def test_altered_weights_are_not_delivered(finished: Path) -> None:
    weights = run_folder(finished) / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert sync(finished, "--uri", "sqlite:///other.db").returncode == 0
    ((run,),) = in_store(finished / "other.db").values()
    client = MlflowClient(f"sqlite:///{finished}/other.db")
    names = {artifact.path for artifact in client.list_artifacts(run.info.run_id)}
    assert "config.yaml" in names
    assert weights.name not in names
    assert run.data.tags["mlflow_refused"] == weights.name


@pytest.mark.slow
def test_continued_in_another_store_it_is_whole_in_both(start: Callable, tmp_path: Path) -> None:
    process = start("parts", held_after=50)
    wait_for_epoch(process, 2)
    process.terminate()
    process.communicate(timeout=60)
    other = ("tracking.uri=sqlite:///other.db", "tracking.experiment=there")
    assert "Resuming at epoch" in finish(start("parts", *other))
    assert_whole(tmp_path / "parts" / "other.db", "there")
    assert sync(tmp_path / "parts").returncode == 0
    assert_whole(tmp_path / "parts" / "mlflow.db")


@pytest.mark.slow
@pytest.mark.parametrize(
    "multirun", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["run", "sweep"]
)
def test_a_finished_run_asked_for_at_no_address_is_refused_and_stays_whole(
    finished: Path, root: str, multirun: bool
) -> None:
    sweep = ("seed=0,1", "-m") if multirun else ()
    assert command(*TRAIN, *usual(root), *sweep, cwd=finished).returncode == 0
    done = command(*TRAIN, *usual(root), "tracking.uri=foo://bar", *sweep, cwd=finished)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: tracking.uri=foo://bar: is no kind of address")
    synced = command(EXPERIMENTS, "sync", cwd=finished)
    assert synced.returncode == 0, synced.stdout + synced.stderr
