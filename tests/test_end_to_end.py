"""The program from the user's side: real processes, a real MLflow database, real signals."""

from __future__ import annotations

import hashlib
import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from mlflow import MlflowClient
from mlflow.entities import Run

from experiments.tracking.store import connect
from tests.conftest import PROJECT, TRAIN, Program, clean_environment, command, run_folder
from tests.programs import OWN, start, wait_for_epoch, wait_until
from tests.terminal import run_on_terminal, shown_lines


def recorded(folder: Path) -> tuple[MlflowClient, Run]:
    client = connect(f"sqlite:///{folder}/mlflow.db")
    ids = [experiment.experiment_id for experiment in client.search_experiments()]
    (run,) = client.search_runs(ids)
    return client, run


def delivered_to(folder: Path) -> str | None:
    """Return the id of the MLflow run of a run's folder; None before the delivery."""
    note = folder / "mlflow.json"
    return json.loads(note.read_text())["copies"][0]["run_id"] if note.exists() else None


def test_a_run_is_trained_tested_and_recorded(offline: Program, tmp_path: Path) -> None:
    overrides = ("trainer.epochs=3", "data.validation_size=100", "optimizer.lr=0.02")
    done = offline("tracking=mlflow", *overrides)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    lines = [line for line in done.stdout.splitlines() if "Fetching" not in line]
    assert [line.split(" Loss")[0] for line in lines[:3]] == ["Epoch: 1", "Epoch: 2", "Epoch: 3"]
    assert lines[3].startswith("Accuracy of the network on the 297 test images: ")

    folder = run_folder(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} - {".mlflow.db.lock"} == {
        "outputs",
        "mlflow.db",
    }
    client, run = recorded(tmp_path)
    assert f"MLflow run {run.info.run_id} in experiment digits" in lines
    assert run.info.status == "FINISHED"

    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert run.data.params["optimizer.lr"] == "0.02"
    assert run.data.params["model.hidden"] == "[128]"
    assert run.data.params["trainer.epochs"] == str(config["trainer"]["epochs"]) == "3"
    found = client.search_runs([run.info.experiment_id], "params.`optimizer.lr` = '0.02'")
    assert len(found) == 1

    for metric in ("train_loss", "lr", "epoch_seconds", "val_loss", "val_accuracy"):
        steps = [point.step for point in client.get_metric_history(run.info.run_id, metric)]
        assert steps == [1, 2, 3], metric
    assert 0.5 < run.data.metrics["test_accuracy"] <= 1
    percent = 100 * round(297 * run.data.metrics["test_accuracy"]) / 297
    assert lines[3].endswith(f": {int(percent)} % ({percent:.2f} %)")
    assert run.data.metrics["test_loss"] > 0

    weights = (folder / "weights.safetensors").read_bytes()
    assert run.data.tags["weights_sha256"] == hashlib.sha256(weights).hexdigest()
    assert run.data.tags["version.torch"]
    artifacts = {artifact.path for artifact in client.list_artifacts(run.info.run_id)}
    assert artifacts >= {
        *("config.yaml", "overrides.yaml", "environment.json", "weights.safetensors")
    }
    assert f"{tmp_path.as_uri()}/outputs/mlflow/" in run.info.artifact_uri
    environment = json.loads((folder / "environment.json").read_text())
    assert environment["packages"]["mlflow"]
    assert set(overrides) <= set(yaml.safe_load((folder / "overrides.yaml").read_text()))


@pytest.mark.row("determinism")
def test_the_same_twice_gives_the_same_weights(tmp_path: Path, root: str) -> None:
    usual = ("data=digits", f"data.root={root}", "trainer.epochs=1", "tracking=none")
    for name in ("one", "two"):  # in processes of their own: forks share the order of sets
        run = (f"hydra.run.dir={name}", "force=true")
        assert command(sys.executable, TRAIN, *usual, *run, cwd=tmp_path).returncode == 0
    first, second = (
        (tmp_path / name / "weights.safetensors").read_bytes() for name in ("one", "two")
    )
    assert first == second


@pytest.mark.slow
@pytest.mark.row("output directories")
def test_50_starts_at_once_choose_50_folders(tmp_path: Path) -> None:
    program = [sys.executable, str(PROJECT / "train.py")]
    program += ["--cfg", "all", "--package", "hydra.run", "--resolve"]
    processes = [
        subprocess.Popen(program, cwd=tmp_path, env=clean_environment(), stdout=subprocess.PIPE)
        for _ in range(50)
    ]
    chosen = {process.communicate(timeout=120)[0] for process in processes}
    assert all(folder.startswith(b"# @package hydra.run\ndir: outputs/") for folder in chosen)
    assert len(chosen) == 50


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
def test_a_signal_ends_the_run_as_killed(tmp_path: Path, root: str, number: signal.Signals) -> None:
    process = start(tmp_path, root, "Slow", "trainer.epochs=1000")
    wait_for_epoch(process, 1)
    process.send_signal(number)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    stopping, stopped, *_ = output[output.index(number.name) :].splitlines()
    assert stopping.startswith(f"{number.name}: stopping")
    checkpoints = run_folder(tmp_path).relative_to(tmp_path) / "checkpoints"
    assert stopped.startswith(f"Stopped; the checkpoint is in {checkpoints}, and the same command")
    assert "Traceback" not in errors
    wait_until(lambda: recorded(tmp_path)[1].info.status == "KILLED")


def test_kill_9_leaves_no_run_running(tmp_path: Path, root: str) -> None:
    process = start(tmp_path, root, "Slow", "trainer.epochs=1000")
    wait_for_epoch(process, 1)
    wait_until(lambda: delivered_to(run_folder(tmp_path)))
    process.kill()
    process.communicate(timeout=60)
    wait_until(lambda: recorded(tmp_path)[1].info.status == "KILLED")
    _, run = recorded(tmp_path)
    assert delivered_to(run_folder(tmp_path)) == run.info.run_id
    assert run.data.metrics["train_loss"] > 0


def test_on_a_terminal_a_run_shows_its_facts_and_its_bar(tmp_path: Path, root: str) -> None:
    (tmp_path / "own.py").write_text(OWN)
    program = [sys.executable, str(PROJECT / "train.py"), "data=digits", f"data.root={root}"]
    overrides = ["model._target_=own.Slow", "tracking=none", "trainer.epochs=2", "optimizer.lr=0.1"]
    code, output = run_on_terminal(
        [*program, *overrides, "data.validation_size=100"],
        40,
        cwd=tmp_path,
        environment=clean_environment() | {"PYTHONPATH": str(tmp_path)},
    )
    assert code == 0, output
    lines = shown_lines(output)
    drawn = [line for line in lines if line.startswith(("╭", "│", "╰", "epoch "))]
    assert max(map(len, drawn)) == 40
    assert any("validation," in line for line in drawn)
    assert any(line.startswith("epoch 2/2 ━") for line in drawn)
    assert "\x1b[32mAccuracy of the network" in output
    (log,) = tmp_path.glob("outputs/*/*/train.log")
    assert "\x1b" not in log.read_text()
    assert "│" not in log.read_text()


def test_an_exception_ends_the_run_as_failed(tmp_path: Path, root: str) -> None:
    _, errors = start(tmp_path, root, "Failing").communicate(timeout=60)
    assert "ArithmeticError: in the middle of training" in errors
    frames = re.findall(r'File "(.*)", line', errors)
    assert frames == [str(tmp_path / "own.py")] * 2  # forward, and the method that it calls
    assert f"Everything about this run: {run_folder(tmp_path).relative_to(tmp_path)}\n" in errors
    _, run = recorded(tmp_path)
    assert run.info.status == "FAILED"
    assert run.data.tags["failure"] == "ArithmeticError: in the middle of training"


@pytest.mark.slow
def test_a_model_that_calls_sys_exit_fails_the_run(tmp_path: Path, root: str) -> None:
    process = start(tmp_path, root, "Exiting")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "a part of the run called sys.exit(0)" in errors
    assert recorded(tmp_path)[1].info.status == "FAILED"


def test_a_lazy_model_trains(tmp_path: Path, root: str) -> None:
    process = start(tmp_path, root, "Lazy", "tracking=none", "trainer.epochs=1")
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "Accuracy of the network" in output


def test_a_damaged_data_file_is_refused_before_anything_is_created(
    offline: Program, tmp_path: Path
) -> None:
    root = tmp_path / "data"
    assert offline(f"data.root={root}", "hydra.run.dir=first").returncode == 0
    file = root / "Digits" / "raw" / "train-images-idx3-ubyte"
    file.write_bytes(file.read_bytes()[:-1])
    before = sorted(tmp_path.rglob("*"))
    done = offline(f"data.root={root}", "hydra.run.dir=second")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert str(file) in line
    assert "delete it and run again" in line
    assert sorted(tmp_path.rglob("*")) == before
