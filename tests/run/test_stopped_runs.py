"""A run that was stopped is found again: in the index, in MLflow, in a folder that was moved."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from experiments.run.verify_resume import result
from experiments.tracking.store import connect
from experiments.tracking.tag_names import PID
from tests.conftest import EXPERIMENTS, Starter, command
from tests.programs import finish, wait_for_epoch, wait_until


def stopped(start: Starter, *overrides: str) -> None:
    """Stop a run in its third epoch."""
    process = start("parts", *overrides, held_after=50)
    wait_for_epoch(process, 2)
    process.terminate()
    process.communicate(timeout=60)


@pytest.mark.slow
def test_without_the_index_mlflow_knows_the_run_to_continue(start, tmp_path: Path) -> None:
    stopped(start)
    shutil.rmtree(tmp_path / "parts" / "outputs" / ".identities")
    assert "Resuming at epoch" in finish(start("parts", "outputs=elsewhere"))
    assert finish(start("parts", "outputs=elsewhere")).startswith("Finished before: ")


@pytest.mark.slow
def test_finished_elsewhere_it_is_not_continued_here(start, tmp_path: Path) -> None:
    stopped(start)
    (tmp_path / "parts" / "outputs").rename(tmp_path / "parts" / "away")
    finish(start("parts", "outputs=there"))
    shutil.rmtree(tmp_path / "parts" / "outputs")
    (tmp_path / "parts" / "away").rename(tmp_path / "parts" / "outputs")
    assert finish(start("parts")).startswith("Finished before: ")


@pytest.mark.slow
def test_a_continued_run_is_running_at_once(start, tmp_path: Path) -> None:
    stopped(start)
    process = start("parts", held_after=0)
    client = connect(f"sqlite:///{tmp_path}/parts/mlflow.db")
    (run,) = client.search_runs([e.experiment_id for e in client.search_experiments()])
    assert run.info.status == "KILLED"
    wait_until(lambda: client.get_run(run.info.run_id).info.status == "RUNNING")
    assert client.get_run(run.info.run_id).data.tags[PID] == str(process.pid)
    process.kill()
    process.communicate()


@pytest.mark.slow
def test_begun_without_tracking_it_can_be_continued_with(start, tmp_path: Path) -> None:
    stopped(start, "tracking=none")
    assert "MLflow has not taken all" in finish(start("parts", "tracking.uri=http://127.0.0.1:9"))
    done = command(EXPERIMENTS, "sync", cwd=tmp_path / "parts")
    assert "1 failed" in done.stdout
    assert "connection refused" in done.stderr


@pytest.mark.slow
def test_force_does_not_continue_in_the_same_folder(start, tmp_path: Path) -> None:
    stopped(start, "hydra.run.dir=here")
    again = start("parts", "hydra.run.dir=here", "force=true")
    _, errors = again.communicate(timeout=60)
    assert (again.returncode, errors) == (
        2,
        "error: hydra.run.dir=here: holds another run; name a new folder\n",
    )


@pytest.mark.slow
def test_a_project_that_was_moved_goes_on(start, tmp_path: Path) -> None:
    stopped(start)
    (tmp_path / "parts").rename(tmp_path / "moved")
    assert "Resuming at epoch" in finish(start("moved"))
    assert len(result(tmp_path / "moved").run_ids) == 1


@pytest.mark.slow
def test_a_damaged_note_of_what_was_delivered_is_done_without(start, tmp_path: Path) -> None:
    stopped(start)
    (note,) = (tmp_path / "parts").glob("outputs/*/*/mlflow.json")
    note.write_text('{"run')
    finish(start("parts"))
    assert len(result(tmp_path / "parts").run_ids) == 1
