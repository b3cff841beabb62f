"""A run is trained again from its own code; `tests/faults/test_reproduce.py` has more kinds."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.catalog.summary import summary_of
from tests.conftest import clean_environment
from tests.programs import cleaned_up, wait_until
from tests.provenance.test_origin import git
from tests.reproducing.project import NET, Project

LASTING = """
import os, time
from experiments.models import SimpleNet

if os.environ.get("IDLE"):
    print("there is nothing to do", flush=True)
    os._exit(0)

class Lasting(SimpleNet):
    def forward(self, x):
        if self.training:
            time.sleep(float(os.environ.get("PACE", "0")))
        return super().forward(x)
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, root: str) -> Project:
    """A project at its second commit, with a run of the first and uncommitted changes."""
    project = Project(tmp_path_factory.mktemp("reproduce"), root)
    project.write("conf/experiment/mine.yaml", "# @package _global_\noptimizer:\n  lr: 0.03\n")
    project.write("own_new.py", LASTING)
    project.write("own_net.py", NET.format(factor=2))
    project.train("dirty", "experiment=mine", "model._target_=own_new.Lasting", "seed=3")
    git(project.folder, "checkout", "-q", ".")
    git(project.folder, "clean", "-qfd")
    models = project.folder / "src" / "experiments" / "models.py"
    models.write_text(models.read_text().replace("F.relu(", "F.silu("))
    project.commit("another model")
    return project


@pytest.fixture
def dirty(project: Project) -> Path:
    return project.folder / "outputs" / "dirty"


def test_uncommitted_changes_to_an_older_commit_are_restored(project: Project, dirty: Path) -> None:
    done = project.reproduce(dirty)
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 commit before HEAD" in done.stdout
    assert "and its uncommitted changes in 2 files" in done.stdout
    assert "from config.yaml the values of optimizer.lr" in done.stdout
    assert "conf/experiment/mine.yaml was not committed" in done.stdout
    assert "Equal to the bit: 6 metric points and the weights" in done.stdout


def test_the_result_is_told_as_json(project: Project, dirty: Path) -> None:
    run = summary_of(dirty)
    assert run is not None
    done = project.reproduce(dirty, "--json")
    assert done.returncode == 0
    assert "  | Epoch: 2 " in done.stderr
    told = json.loads(done.stdout)
    lacking = told.pop("lacking")
    assert "conf/experiment/mine.yaml was not committed" in lacking[0]
    metrics = {row["metric"]: (row["points in b"], row["equal"]) for row in told.pop("metrics")}
    one, two = (1, True), (2, True)
    assert metrics == {"lr": two, "train_loss": two, "test_accuracy": one, "test_loss": one}
    sha = run.tags["weights_sha256"]
    assert told == {
        "id": run.id,
        "equal": True,
        "sentence": f"Equal to the bit: 6 metric points and the weights ({sha[:12]})",
        "weights": {"a": sha, "b": sha, "equal": True},
        "changed": [],
        "folder": None,
    }


@pytest.mark.slow
def test_a_changed_package_beside_the_project_is_named(project: Project) -> None:
    project.write("../beside/changed_net.py", NET.format(factor=1))
    run = project.train("beside", "model._target_=changed_net.Net", "trainer.epochs=1")
    project.write("../beside/changed_net.py", NET.format(factor=2))
    before = project.reproduced()
    done = project.experiments("reproduce", str(run), "--verify", "--json")
    assert done.returncode == 1
    data = json.loads(done.stdout)
    (kept,) = project.reproduced() - before
    assert (data["equal"], data["weights"]["equal"]) == (False, False)
    assert data["changed"][0].startswith("the source of changed_net has changed since")
    assert project.folder / data["folder"] == kept
    shutil.rmtree(kept)
    done = project.experiments("reproduce", str(run), "--verify")
    assert done.returncode == 1
    assert "\nDifferent: " in done.stdout
    assert (
        "Not as then: the source of changed_net has changed since, and its former content is in no "
        "file of the run" in done.stdout
    )
    (kept,) = project.reproduced() - before
    told = project.experiments("diff", str(run), str(kept))
    assert told.stdout.startswith("Differ in the source of changed_net\n")


@pytest.mark.slow
def test_two_commands_at_once_train_two_runs(project: Project, dirty: Path) -> None:
    kept = project.reproduced()
    program = (sys.executable, "-m", "experiments", "reproduce", str(dirty), "--verify", "--keep")
    environment = {"PACE": "0.05", "TMPDIR": str(project.folder.parent)}
    both = [
        cleaned_up(
            subprocess.Popen(
                program,
                cwd=project.folder,
                env=clean_environment() | project.environment | environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        for _ in range(2)
    ]
    told = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    named = [output.rpartition("The reproduced run: ")[2].strip() for output, _ in told]
    assert {project.folder / each for each in named} == project.reproduced() - kept
    assert len({*named}) == 2
    for output, errors in told:
        assert errors == ""
        assert output.count("  | Epoch: ") == 2
        assert "Equal to the bit: 6 metric points and the weights" in output


def test_a_training_that_trains_nothing_is_an_error(project: Project, dirty: Path) -> None:
    run = summary_of(dirty)
    assert run is not None
    earlier = project.folder / "outputs" / "reproduced" / run.short
    shutil.copytree(dirty, earlier, dirs_exist_ok=True)
    done = project.reproduce(dirty, IDLE="1")
    assert done.returncode == 1
    assert done.stderr == (
        "error: train.py of the run's code has trained nothing: there is nothing to do\n"
    )
    assert (earlier / "weights.safetensors").exists()


def test_an_interrupted_command_leaves_nothing(project: Project, dirty: Path) -> None:
    before, temporary = project.state(), project.folder.parent / "interrupted"
    kept = project.reproduced()
    temporary.mkdir()
    program = (sys.executable, "-m", "experiments", "reproduce", str(dirty), "--verify")
    environment = {"PACE": "1", "TMPDIR": str(temporary), "PYTHONUNBUFFERED": "1"}
    process = cleaned_up(
        subprocess.Popen(
            program,
            cwd=project.folder,
            env=clean_environment() | project.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    )
    begun = "outputs/reproduced/.*/*/journal.jsonl"
    wait_until(lambda: list(project.folder.glob(begun)))
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "")
    assert list(temporary.iterdir()) == []
    assert project.state() == before
    assert project.reproduced() == kept


def test_a_lost_commit_is_one_line(project: Project, dirty: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{project.folder}", str(copy))
    done = project.reproduce(dirty, cwd=copy)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "is not in this repository: `git fetch --unshallow` brings it" in line


def test_a_place_without_train_py_is_refused(project: Project, dirty: Path, tmp_path: Path) -> None:
    done = project.experiments("reproduce", str(dirty), cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: train.py: is not in this folder")
    assert list(tmp_path.iterdir()) == []
