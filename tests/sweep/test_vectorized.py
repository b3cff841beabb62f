"""Sweeps whose jobs are lanes of one stack: each job has the result that it has alone."""

from __future__ import annotations

import re
import signal
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file
from torch import testing

from experiments import journal
from experiments.sweep.vectorized import _must_be_alone
from tests.conftest import PROJECT, command
from tests.programs import holding, release, wait_until
from tests.run.test_lifecycle import configuration
from tests.sweep.conftest import Sweep, runs, training

LANES = ("vectorized", "hydra.launcher.lanes=8")
GRID = ("optimizer.lr=0.01,0.05", "seed=0,1", "trainer.epochs=3")


@pytest.fixture
def lanes(tmp_path: Path, root: str) -> Sweep:
    return Sweep(tmp_path / "lanes", root, LANES)


def by_number(sweep: Sweep) -> dict[str, dict[str, str]]:
    return {job["job"]: job for job in sweep.jobs()}


def test_lanes_are_the_jobs_of_the_basic_launcher(lanes: Sweep, tmp_path: Path, root: str) -> None:
    basic = Sweep(tmp_path / "basic", root)
    held = ("data.validation_size=200", "optimizer.momentum=0.0,0.9")
    for sweep in (lanes, basic):
        done = sweep.run(*GRID, *held, "model.inputs=784", model="Slow", SLOW="0")
        assert done.returncode == 0, done.stdout + done.stderr
    mine, theirs = by_number(lanes), by_number(basic)
    assert mine.keys() == theirs.keys()
    assert len(mine) == 8
    for name, job in mine.items():
        folders = [
            sweep.folder / row["folder"] for sweep, row in ((lanes, job), (basic, theirs[name]))
        ]
        told, alone = map(journal.history, folders)
        assert told.start["identity"] == alone.start["identity"]
        assert told.tags["lanes"] == "8"
        assert told.points.keys() == alone.points.keys()
        for (key, step), value in alone.points.items():
            if key.endswith("loss"):
                assert told.points[key, step] == pytest.approx(value, rel=1e-4)
            elif key.endswith("accuracy"):
                assert told.points[key, step] == pytest.approx(value, abs=0.006)
        weights, others = (load_file(folder / "weights.safetensors") for folder in folders)
        testing.assert_close(weights, others, rtol=1e-3, atol=1e-4)
        files = [sorted(path.name for path in folder.iterdir()) for folder in folders]
        assert files[0] == files[1]
        log = (folders[0] / "train.log").read_text()
        assert re.findall(r"Epoch: (\d) Loss", log) == ["1", "2", "3"]
    assert {run.info.status for run in runs(lanes.folder)} == {"FINISHED"}
    assert len(runs(lanes.folder)) == 9


@pytest.mark.slow
def test_what_cannot_be_lanes_is_trained_alone_and_said(lanes: Sweep) -> None:
    done = lanes.run("model.hidden=[8],[16]", "seed=0,1", "tracking=none", "model.inputs=784")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 jobs from job 0 on: 1 stack of 2 lanes" in done.stdout
    assert "2 jobs from job 2 on: 1 stack of 2 lanes" in done.stdout
    done = lanes.run("model.hidden=[4]", "seed=0", "tracking=none")
    assert "job 0: alone: no other job has its data, batch size and model" in done.stdout
    done = lanes.run("seed=5,6", "tracking=none", model="Dropping")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 jobs from job 0 on: alone: its model draws random numbers" in done.stdout


@pytest.mark.row("crash resume")
def test_killed_in_the_middle_it_goes_on_to_the_same_bits(
    lanes: Sweep, tmp_path: Path, root: str
) -> None:
    whole = Sweep(tmp_path / "whole", root, LANES)
    overrides = (*GRID, "model.inputs=784", "tracking=none")
    assert whole.run(*overrides, model="Slow", SLOW="0").returncode == 0
    for number in (signal.SIGKILL, signal.SIGTERM):
        # The trial of the first step counts too, so the first epoch has 24 batches and one more.
        process = lanes.start(*overrides, model="Slow", **holding(lanes.folder, after=30))
        wait_until(lambda: _epochs(lanes) >= 1 and any(map(journal.is_open, training(lanes))))
        process.send_signal(number)
        output, _ = process.communicate(timeout=60)
    said = "Stopped: 0 of 4 jobs are finished, 4 are left; the same command resumes the sweep"
    assert output.splitlines()[-1] == said
    assert lanes.run(*overrides, model="Slow", SLOW="0").returncode == 0
    for number, job in by_number(lanes).items():
        told = journal.history(lanes.folder / job["folder"])
        alone = journal.history(whole.folder / by_number(whole)[number]["folder"])
        assert told.tags["weights_sha256"] == alone.tags["weights_sha256"]
        assert {k: v for k, v in told.points.items() if k[0] != "epoch_seconds"} == {
            k: v for k, v in alone.points.items() if k[0] != "epoch_seconds"
        }


def _epochs(sweep: Sweep) -> int:
    told = [journal.history(folder).points for folder in training(sweep)]
    return max((len([k for k, _ in points if k == "train_loss"]) for points in told), default=0)


@pytest.mark.slow
@pytest.mark.parametrize("begins", ["lanes", "alone"])
def test_a_lane_goes_on_alone_and_a_job_as_a_lane(lanes: Sweep, root: str, begins: str) -> None:
    order = [lanes, Sweep(lanes.folder, root)]
    first, second = order if begins == "lanes" else order[::-1]
    overrides = (*GRID, "model.inputs=784", "tracking=none")
    process = first.start(*overrides, model="Slow", **holding(lanes.folder, after=30))
    wait_until(lambda: _epochs(lanes) >= 1)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    done = second.run(*overrides, model="Slow", SLOW="0")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{4 if begins == 'lanes' else 1} to resume" in done.stdout
    for job in second.jobs():
        told = journal.history(lanes.folder / job["folder"])
        assert [k for k in told.points if k[0] == "train_loss"] == [
            ("train_loss", epoch) for epoch in (1, 2, 3)
        ]


def test_a_lane_that_diverges_is_tagged_and_ends_alone(lanes: Sweep) -> None:
    done = lanes.run(
        "optimizer.lr=0.01,1e30", "seed=0,1", "trainer.epochs=2", "tracking=none", model="Slow"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    tags = [journal.history(lanes.folder / job["folder"]).tags for job in lanes.jobs()]
    assert ["diverged" in told for told in tags] == [False, False, True, True]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("workers", "setting", "stacks"),
    [
        ("processes", "n_jobs=2", "2 stacks of 3 lanes"),
        pytest.param(
            "ray_cluster", "ray.init.num_cpus=2", "1 stack of 6 lanes", marks=pytest.mark.launchers
        ),
    ],
)
def test_lanes_on_other_workers(
    tmp_path: Path, root: str, workers: str, setting: str, stacks: str
) -> None:
    chosen = f"hydra/launcher@hydra.launcher.workers={workers}"
    # A given number skips the measurement of speed, which a busy machine would distort.
    given = (f"hydra.launcher.workers.{setting}", "hydra.launcher.lanes=6")
    sweep = Sweep(tmp_path, root, ("vectorized", chosen, *given))
    done = sweep.run("seed=range(6)", model="Slow", SLOW="0")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"6 jobs from job 0 on: {stacks}" in done.stdout
    assert [job["state"] for job in sweep.jobs()] == ["finished"] * 6
    assert len(runs(sweep.folder)) == 7


@pytest.mark.slow
def test_a_lane_that_fails_says_why_in_its_own_log(lanes: Sweep) -> None:
    overrides = ("seed=0,1,2", "trainer.epochs=3", "tracking=none")
    process = lanes.start(*overrides, **holding(lanes.folder))
    wait_until(lambda: len(training(lanes)) == 3)
    (folder,) = lanes.folders
    (folder / "1" / "checkpoints").write_text("in the way of its folder")
    release(lanes.folder)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 1, output + errors
    assert [job["state"] for job in lanes.jobs()] == ["finished", "failed", "finished"]
    said = "checkpoints: cannot be written: something else has that name; remove it"
    assert said in (folder / "1" / "train.log").read_text()
    assert said not in (folder / "0" / "train.log").read_text()


@pytest.mark.slow
def test_hydra_s_own_suite() -> None:
    suite = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    done = command(*suite, str(PROJECT / "tests" / "sweep" / "hydra_suite.py"), cwd=PROJECT)
    assert done.returncode == 0, done.stdout
    assert "21 passed" in done.stdout


@pytest.mark.parametrize(
    "lanes_given", ["0", *(pytest.param(each, marks=pytest.mark.slow) for each in ("2.5", "many"))]
)
def test_a_wrong_number_of_lanes_is_one_line(tmp_path: Path, root: str, lanes_given: str) -> None:
    sweep = Sweep(tmp_path, root, ("vectorized", f"hydra.launcher.lanes={lanes_given}"))
    done = sweep.run("seed=0,1", "tracking=none")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert f"hydra.launcher.lanes={lanes_given}: it should be a whole number above 0" in line
    assert not sweep.folders


@pytest.mark.parametrize(
    ("override", "reason"),
    [
        ("trainer.shards=2", "trainer.shards cuts the batches of one run at a time"),
        ("trainer.strategy=ddp", None),  # in one process it is the plain run
    ],
)
def test_a_job_with_shards_must_be_alone(override: str, reason: str | None, root: str) -> None:
    assert _must_be_alone(configuration(root, override)) == reason
