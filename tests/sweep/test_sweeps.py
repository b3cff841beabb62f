"""Sweeps from the user's side: planned, refused, resumed, extended, stopped."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from experiments import journal
from tests.conftest import PROJECT
from tests.programs import holding, release, wait_until
from tests.sweep.conftest import Sweep, runs, training


def plan_of(output: str) -> str:
    (line,) = re.findall(r"^(\d+ jobs: .*?)(?:;.*)?$", output, flags=re.MULTILINE)
    return line


def test_a_plan_creates_nothing_and_loads_neither_torch_nor_mlflow(sweep: Sweep) -> None:
    seeds = f"seed={','.join(map(str, range(21)))}"
    command = sweep.command(seeds, "sweep.plan_only=true", "tracking=none", model="Slow")
    done = subprocess.run(
        [command[0], "-X", "importtime", *command[1:]],
        cwd=sweep.folder,
        env=sweep.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "pydantic" in loaded
    assert not loaded & {"torch", "mlflow", "numpy", "sklearn"}
    first, *jobs, last = done.stdout.splitlines()
    assert first == "21 jobs: 0 finished, 0 to resume, 21 new, 0 invalid, 0 duplicates"
    assert jobs == [f"  job {number}: new, s{number}" for number in range(21)]
    assert last == f"{first}; nothing was trained"  # the first may be out of sight
    assert {path.name for path in sweep.folder.iterdir()} <= {"own.py"}


def test_an_invalid_job_stops_the_sweep_before_any_begins(sweep: Sweep) -> None:
    done = sweep.run("optimizer.lr=0.1,-1,0", "seed=0,1", "tracking=none")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: 4 of 6 jobs are invalid and none was begun; job 2 (optimizer.lr")
    assert "optimizer.lr=-1: it should be greater than 0" in line
    assert not (sweep.folder / "outputs").exists()


def test_data_that_cannot_be_had_stops_the_sweep_before_any_begins(sweep: Sweep) -> None:
    done = sweep.run(
        "data._target_=own.Nothing", "seed=0,1", "tracking=none", "+data.more=1", model="Slow"
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: data._target_")  # once, because all jobs share it
    assert not (sweep.folder / "outputs").exists()


def test_a_million_jobs_are_a_slip_of_the_finger(sweep: Sweep) -> None:
    done = sweep.run("seed=range(1000)", "optimizer.lr=range(0.001,1,0.001)", "tracking=none")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line == (
        "error: sweep.max_jobs=1000: this sweep has 999,000 jobs; repeat it with "
        "sweep.max_jobs=999000 if that is meant"
    )
    assert not (sweep.folder / "outputs").exists()


def test_the_same_job_twice_is_said_and_trained_once(sweep: Sweep) -> None:
    done = sweep.run("optimizer.lr=0.1,0.2,0.10", "tracking=none")
    assert done.returncode == 0, done.stderr
    assert plan_of(done.stdout).endswith("2 new, 0 invalid, 1 duplicates")
    assert "  job 2 (lr=0.1) is job 0 again, and trained once" in done.stdout
    (folder,) = sweep.folders
    assert len(list(folder.glob("*/journal.jsonl"))) == 2


def test_finished_it_is_reported_and_extended_it_trains_what_is_new(sweep: Sweep) -> None:
    overrides = ("trainer.limit_batches=2", "tracking=none")
    first = sweep.run("seed=0,1", *overrides)
    assert first.returncode == 0, first.stderr
    again = sweep.run("seed=0,1", *overrides)
    assert plan_of(again.stdout).startswith("2 jobs: 2 finished, 0 to resume, 0 new")
    assert (
        again.stdout.splitlines()[1:]
        == first.stdout.splitlines()[-len(again.stdout.splitlines()) + 1 :]
    )
    assert len(sweep.folders) == 1
    more = sweep.run("seed=0,1,2", *overrides)
    assert plan_of(more.stdout).startswith("3 jobs: 2 finished, 0 to resume, 1 new")
    assert "job 2: begun, s2" in more.stdout
    assert "job 1: begun" not in more.stdout
    assert [len(list(folder.glob("*/journal.jsonl"))) for folder in sweep.folders] == [2, 1]


def test_a_failed_job_is_tried_again_and_nothing_else(sweep: Sweep) -> None:
    failed = sweep.run("model.fate=a,b", "tracking=none", FAILING="b")
    assert failed.returncode == 1
    assert [job["state"] for job in sweep.jobs()] == ["finished", "failed"]
    repaired = sweep.run("model.fate=a,b", "tracking=none")
    assert repaired.returncode == 0, repaired.stdout + repaired.stderr
    assert plan_of(repaired.stdout).startswith("2 jobs: 1 finished, 1 to resume, 0 new")
    assert [job["state"] for job in sweep.jobs()] == ["finished", "finished"]
    (folder,) = sweep.folders
    assert journal.history(folder).status == "FINISHED"


def test_fail_fast_begins_no_further_job(sweep: Sweep) -> None:
    done = sweep.run("model.fate=raise,fine", "seed=0,1", "sweep.fail_fast=true", "tracking=none")
    assert done.returncode == 1
    assert "job 0: ArithmeticError: in the middle of training" in done.stdout
    assert "3 jobs were not begun" in done.stdout
    assert [job["state"] for job in sweep.jobs()] == ["failed", *["held back"] * 3]
    (folder,) = sweep.folders
    assert len(list(folder.glob("*/journal.jsonl"))) == 1


def test_stopped_it_says_so_and_saves_and_goes_on_later(sweep: Sweep) -> None:
    for signum, code in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
        held = holding(sweep.folder)
        process = sweep.start("seed=0,1", "trainer.epochs=4", "tracking=none", **held)
        wait_until(lambda: any(map(journal.is_open, training(sweep))))
        process.send_signal(signum)
        output, errors = process.communicate(timeout=60)
        assert process.returncode == code, errors
        said = "Stopped: 0 of 2 jobs are finished, 2 are left; the same command resumes the sweep"
        assert output.splitlines()[-1] == said
        assert output.count("Stopped") == 1
        (folder,) = sweep.folders
        assert journal.history(folder).status == "KILLED"
        assert journal.history(folder / "0").status == "KILLED"
    done = sweep.run("seed=0,1", "trainer.epochs=4", "tracking=none", model="Slow", SLOW="0")
    assert done.returncode == 0, done.stderr
    assert plan_of(done.stdout).startswith("2 jobs: 0 finished, 1 to resume, 1 new")
    assert "Resuming at" in (folder / "0" / "train.log").read_text()


@pytest.mark.slow
def test_two_at_once_are_one_and_one_that_waits_its_turn(sweep: Sweep) -> None:
    process = sweep.start("seed=0,1", "trainer.epochs=3", "tracking=none", **holding(sweep.folder))
    wait_until(lambda: training(sweep))
    same = sweep.run("seed=0,1", "trainer.epochs=3", "tracking=none", model="Slow")
    assert same.returncode == 2
    assert f"this sweep is being run by process {process.pid}" in same.stderr
    other = sweep.start("seed=0,7", "trainer.epochs=3", "tracking=none", SLOW="0")
    assert other.stdout is not None
    plan = other.stdout.readline()
    assert "1 new, 0 invalid, 0 duplicates, 1 trained by another process" in plan
    release(sweep.folder)
    output, errors = other.communicate(timeout=120)
    assert other.returncode == 0, output + errors
    process.communicate(timeout=120)
    assert process.returncode == 0
    assert sum(len(list(folder.glob("*/weights.safetensors"))) for folder in sweep.folders) == 3


@pytest.mark.slow
def test_no_password_reaches_a_file_or_the_screen(sweep: Sweep) -> None:
    password = "hunter" + "2"  # split, or git.patch would hold it before the commit
    uri = f"http://me:{password}@127.0.0.1:9/"
    done = sweep.run(f"tracking.uri='{uri}'", "seed=0,1", "trainer.limit_batches=1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert password not in done.stdout + done.stderr
    for path in sweep.folder.rglob("*"):
        assert not path.is_file() or password.encode() not in path.read_bytes(), path


def test_two_jobs_in_one_folder_are_refused(sweep: Sweep) -> None:
    done = sweep.run("seed=0,1", "hydra.sweep.subdir=same", "tracking=none")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: hydra.sweep.subdir=same: jobs 0 and 1 would share it")
    assert not (sweep.folder / "outputs").exists()


def test_edited_code_is_not_mixed_with_what_was_planned(sweep: Sweep) -> None:
    process = sweep.start("seed=0,1", "tracking=none", **holding(sweep.folder))
    wait_until(lambda: training(sweep))
    own = sweep.folder / "own.py"
    own.write_text(f"{own.read_text()}\n# edited\n")
    release(sweep.folder)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 1, errors
    assert "job 1: the source was edited after the sweep was planned" in output
    assert [job["state"] for job in sweep.jobs()] == ["finished", "failed"]


def test_params_in_the_configuration_are_swept_over(sweep: Sweep) -> None:
    done = sweep.run("+hydra.sweeper.params.seed='3,4'", "sweep.plan_only=true", "tracking=none")
    assert done.returncode == 0, done.stderr
    assert "  job 1: new, s4" in done.stdout


def test_a_launcher_that_is_not_installed_says_what_to_install(sweep: Sweep) -> None:
    target = "hydra_plugins.hydra_ray_launcher.nowhere.RayLauncher"
    done = sweep.run("seed=0,1", f"hydra.launcher._target_={target}", "tracking=none")
    assert done.returncode == 2
    assert "hydra/launcher=basic: cannot be used" in done.stderr
    assert "-e '.[ray]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (sweep.folder / "outputs").exists()


@pytest.mark.slow
def test_a_single_run_repeats_a_job_and_continues_it(sweep: Sweep) -> None:
    failed = sweep.run("model.fate=a,b", "tracking=none", FAILING="b")
    (repeat,) = re.findall(r"repeat: python (train\.py.*)", failed.stdout)
    command = [sys.executable, str(PROJECT / "train.py"), *repeat.split()[1:]]
    done = subprocess.run(
        command,
        cwd=sweep.folder,
        env=sweep.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (folder,) = sweep.folders
    assert journal.history(folder / "1").status == "FINISHED"
    assert Path(folder / "1" / "weights.safetensors").exists()


def test_what_nobody_delivered_the_next_sweep_delivers(sweep: Sweep) -> None:
    assert sweep.run("seed=0,1", "trainer.limit_batches=1").returncode == 0
    (folder,) = sweep.folders
    note = folder / "0" / "mlflow.json"
    note.unlink()  # as if the sweep had been killed at its end
    done = sweep.run("seed=0,1,2", "trainer.limit_batches=1")
    assert done.returncode == 0, done.stdout + done.stderr
    wait_until(note.exists)
    # Three jobs, two of them again under the second sweep, and two sweeps.
    wait_until(lambda: len(runs(sweep.folder)) == 3 + 2 + 2)
