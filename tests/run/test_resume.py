"""Repeat the command and get the same run: real processes, real kills, a real database."""

from __future__ import annotations

import os
import random
import re
import signal
import time
from pathlib import Path

import pytest

from experiments import journal
from experiments.run.verify_resume import Evidence, compare, result
from tests.conftest import Program, run_folder
from tests.programs import finish, wait_for_epoch, wait_until
from tests.programs import start as start_program


def journals_of_jobs(tmp_path: Path) -> list[Path]:
    return list(tmp_path.glob("outputs/*/*_sweep/*/journal.jsonl"))


def journals(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "parts").glob("outputs/*/*/journal.jsonl"))


def saved(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "parts").glob("outputs/*/*/checkpoints/*.safetensors"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, root: str) -> Evidence:
    """The result of the run that was never stopped."""
    folder = tmp_path_factory.mktemp("whole")
    usual = ("trainer.epochs=6", "data.validation_size=100")
    finish(start_program(folder, root, "Dropping", *usual, SLOW="0"))
    return result(folder)


def assert_the_same(whole: Evidence, tmp_path: Path) -> None:
    assert compare(whole, result(tmp_path / "parts")) == []


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_as_if_never_killed(
    start, whole: Evidence, tmp_path: Path
) -> None:
    seed = random.randrange(10**6)
    moments = random.Random(seed)
    for _ in range(4):
        process = start("parts", slow=0.005)  # an epoch takes 0.11 s
        wait_until(lambda: journals(tmp_path))
        time.sleep(moments.uniform(0, 0.4))
        process.kill()
        process.communicate()
        assert len(journals(tmp_path)) == 1
    output = finish(start("parts"))
    print(f"seed {seed}: {output}")
    assert_the_same(whole, tmp_path)


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
def test_stopped_in_the_middle_of_an_epoch_it_goes_on_there(
    start, whole: Evidence, tmp_path: Path, number: signal.Signals
) -> None:
    process = start("parts", held_after=50)
    wait_for_epoch(process, 2)
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == 128 + number
    # Data that MLflow has not taken within 5 s is delivered after the process has ended.
    wait_until(lambda: list((tmp_path / "parts").glob("outputs/*/*/mlflow.json")))
    (run_id,) = result(tmp_path / "parts").run_ids
    output = finish(start("parts"))
    assert re.search(r"^Resuming at epoch 3, batch \d+$", output, flags=re.MULTILINE)
    assert f"MLflow run {run_id} in" in output
    assert_the_same(whole, tmp_path)


def test_a_finished_run_is_reported_and_not_trained(offline: Program, tmp_path: Path) -> None:
    first = offline("tracking=mlflow")
    accuracy = re.findall(r"\((.* %)\)", first.stdout)[0]
    run_id = re.findall(r"MLflow run (\w+)", first.stdout)[0]
    folder = run_folder(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "outputs").rglob("*")}
    for overrides in (("tracking=none",), ("trainer.checkpoint_every=2", "outputs=./outputs")):
        again = offline("tracking=mlflow", *overrides)
        assert again.returncode == 0, again.stderr
        place = folder.relative_to(tmp_path)
        line, *links = again.stdout.splitlines()
        assert line == (
            f"Finished before: test accuracy {accuracy} ({place}, MLflow run {run_id}); "
            "force=true trains it anew"
        )
        assert [link[:29] for link in links] == ["Compare: http://127.0.0.1:500"]
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "outputs").rglob("*")} == before


@pytest.mark.slow
def test_the_store_knows_a_run_whose_folder_is_gone(offline: Program, tmp_path: Path) -> None:
    first = offline("tracking=mlflow")
    run_id = re.findall(r"MLflow run (\w+)", first.stdout)[0]
    (tmp_path / "outputs").rename(tmp_path / "moved")
    again = offline("tracking=mlflow")
    assert f"(MLflow run {run_id})" in again.stdout
    assert not (tmp_path / "outputs").exists()


def test_force_trains_anew(offline: Program, tmp_path: Path) -> None:
    for _ in range(2):
        done = offline("force=true")
        assert "Accuracy of the network" in done.stdout
    folders = [path.parent for path in tmp_path.glob("outputs/*/*/weights.safetensors")]
    assert len(folders) == 2
    identities = {journal.history(folder).start["identity"] for folder in folders}
    assert len(identities) == 1
    assert offline().stdout.startswith("Finished before: ")


@pytest.mark.slow
def test_a_job_of_a_sweep_that_is_finished_is_not_trained(offline: Program, tmp_path: Path) -> None:
    assert offline("seed=1").returncode == 0
    done = offline("hydra.mode=MULTIRUN", "seed=0,1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("2 jobs: 1 finished, 0 to resume, 1 new")
    assert len(journals_of_jobs(tmp_path)) == 1


def test_a_run_alive_elsewhere_is_refused(start, tmp_path: Path) -> None:
    process = start("parts", "tracking=none", held_after=0)
    wait_until(lambda: journals(tmp_path))
    before = sorted((tmp_path / "parts").glob("outputs/2*/*"))
    second = start("parts", "tracking=none")
    _, errors = second.communicate(timeout=60)
    process.kill()
    process.communicate()
    assert second.returncode == 2
    (line,) = errors.splitlines()
    assert f"by process {process.pid} on {os.uname().nodename}" in line
    assert sorted((tmp_path / "parts").glob("outputs/2*/*")) == before


def test_a_damaged_checkpoint_is_said_and_the_one_before_it_taken(
    start, whole: Evidence, tmp_path: Path
) -> None:
    process = start("parts", held_after=70)
    wait_for_epoch(process, 3)
    wait_until(lambda: any(path.name.startswith(f"{66:09d}-") for path in saved(tmp_path)))
    process.kill()
    process.communicate()
    newest = max(saved(tmp_path))
    newest.write_bytes(newest.read_bytes()[:-1])
    output = finish(start("parts"))
    assert f"{newest.name}: is damaged" in output
    assert "Resuming at epoch 3\n" in output
    assert_the_same(whole, tmp_path)


@pytest.mark.slow
def test_item_18_without_a_whole_checkpoint_nothing_is_trained(start, tmp_path: Path) -> None:
    process = start("parts", held_after=70)
    wait_for_epoch(process, 3)
    process.kill()
    process.communicate()
    for path in saved(tmp_path):
        path.write_bytes(path.read_bytes()[:-1])
    for _ in range(2):
        _, errors = (again := start("parts")).communicate(timeout=60)
        assert again.returncode == 2
        assert errors.splitlines()[-1].startswith("error: outputs/")
        assert "every checkpoint is damaged" in errors
        assert "force=true" in errors
