"""Sweeps on launchers with other machines, whose devices the plan does not know."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sweep.conftest import Sweep
from tests.sweep.test_sweeps import plan_of

LAUNCHER = '''
from hydra._internal.core_plugins.basic_launcher import BasicLauncher

class OwnLauncher(BasicLauncher):
    """Is described as one that uses other machines."""
'''


@pytest.fixture
def remote(tmp_path: Path, root: str) -> Sweep:
    """A sweep that trains on this machine through a launcher described as remote."""
    plugins, facts = tmp_path / "hydra_plugins", tmp_path / "conf" / "hydra" / "launcher_facts"
    plugins.mkdir()
    facts.mkdir(parents=True)
    (plugins / "own_launcher.py").write_text(LAUNCHER)
    (facts / "OwnLauncher.yaml").write_text("remote: true\n")
    target = "hydra.launcher._target_=hydra_plugins.own_launcher.OwnLauncher"
    return Sweep(tmp_path, root, ("basic", target, f"hydra.searchpath=[{tmp_path / 'conf'}]"))


@pytest.mark.slow
def test_the_runs_are_found_under_their_own_identities(remote: Sweep) -> None:
    overrides = ("trainer.limit_batches=2", "tracking=none")
    first = remote.run("seed=0,1", *overrides)
    assert first.returncode == 0, first.stderr
    for job in remote.jobs():
        assert float(job["test_accuracy"]) > 0
        assert (remote.folder / job["folder"] / "weights.safetensors").exists()
    again = remote.run("seed=0,1", *overrides)
    assert plan_of(again.stdout).startswith("2 jobs: 2 finished, 0 to resume, 0 new")
    more = remote.run("seed=0,1,2", *overrides)
    assert plan_of(more.stdout).startswith("3 jobs: 2 finished, 0 to resume, 1 new")


def test_data_of_the_user_s_needs_no_device_of_the_other_machine_s(remote: Sweep) -> None:
    (remote.folder / "own_data.py").write_text("from experiments.data import Digits as Own\n")
    chosen = ("data._target_=own_data.Own", "trainer.device=cuda:7", "sweep.plan_only=true")
    done = remote.run("seed=0,1", *chosen, "tracking=none")
    assert done.returncode == 0, done.stderr
    assert plan_of(done.stdout).startswith("2 jobs: 0 finished, 0 to resume, 2 new")


@pytest.mark.slow
def test_what_failed_there_is_continued_and_nothing_else(remote: Sweep) -> None:
    failed = remote.run("model.fate=a,b", "tracking=none", FAILING="b")
    assert failed.returncode == 1, failed.stderr
    repaired = remote.run("model.fate=a,b", "tracking=none")
    assert repaired.returncode == 0, repaired.stdout + repaired.stderr
    assert plan_of(repaired.stdout).startswith("2 jobs: 1 finished, 1 to resume, 0 new")
    assert all(job["test_accuracy"] for job in remote.jobs())
    third = remote.run("model.fate=a,b", "tracking=none")
    assert plan_of(third.stdout).startswith("2 jobs: 2 finished")


@pytest.mark.slow
def test_a_run_that_was_trained_here_before_is_named_with_its_folder(remote: Sweep) -> None:
    overrides = ("trainer.limit_batches=2", "tracking=none", "seed=0,1")
    local = Sweep(remote.folder, remote.root)
    assert local.run(*overrides).returncode == 0
    before = {job["folder"] for job in local.jobs()}
    done = remote.run(*overrides)
    assert plan_of(done.stdout).startswith("2 jobs: 0 finished, 0 to resume, 2 new")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("Finished before") <= 2
    table = (remote.folders[-1] / "jobs.csv").read_text()
    assert all(folder in table for folder in before)
    again = remote.run(*overrides)
    assert plan_of(again.stdout).startswith("2 jobs: 2 finished")
