"""`experiments tail` follows a run to its end; the shell completes ids."""

from __future__ import annotations

import subprocess

import pytest

from tests.cli.conftest import Lab
from tests.conftest import EXPERIMENTS, clean_environment
from tests.programs import cleaned_up, finish, holding, release, start, wait_for_epoch

pytestmark = pytest.mark.xdist_group("lab")


def test_the_end_of_a_log_is_printed(made_lab: Lab) -> None:
    run = made_lab.data("show", made_lab.id_of("seed=7"))
    log = (made_lab.folder / run["folder"] / "train.log").read_text().splitlines()
    assert made_lab.output("tail", run["id"], "-n", "2").splitlines() == log[-2:]
    assert made_lab.output("tail", run["id"], "-n", "0") == ""


def test_a_running_run_is_followed_to_its_end(lab: Lab, root: str) -> None:
    held = holding(lab.folder, after=30)
    process = start(lab.folder, root, "Slow", "seed=5", "tracking=none", "trainer.epochs=3", **held)
    wait_for_epoch(process, 1)
    tail = cleaned_up(
        subprocess.Popen(
            [EXPERIMENTS, "tail", lab.id_of("running")],
            cwd=lab.folder,
            env=clean_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    )
    assert tail.stdout is not None
    assert "Epoch: 1 " in tail.stdout.readline()
    release(lab.folder)
    output, errors = tail.communicate(timeout=60)
    finish(process)
    assert (tail.returncode, errors) == (0, "")
    assert [line.split(": ")[1] for line in output.splitlines() if "Epoch: " in line] == [
        "Epoch"
    ] * 2
    assert "Accuracy of the network" in output


def test_a_run_without_a_log_is_refused(lab: Lab) -> None:
    run = lab.data("show", lab.id_of("seed=7"))
    (lab.folder / run["folder"] / "train.log").unlink()
    error = lab.error("tail", run["id"])
    assert error.startswith(f"{run['folder']}: holds no log; `experiments show` prints")


def test_the_shell_completes_ids(made_lab: Lab) -> None:
    run = made_lab.id_of("seed=7")
    words = f"experiments show {run[:5]}"
    asked = {"_EXPERIMENTS_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": "2"}
    done = made_lab(**asked)
    assert done.stdout.split() == [run[:8]]


def test_the_end_of_a_run_without_a_result_is_told(made_lab: Lab) -> None:
    dead = made_lab.id_of("dead")
    done = made_lab("tail", dead)
    assert (done.returncode, done.stderr) == (0, f"{dead[:8]} is dead\n")
