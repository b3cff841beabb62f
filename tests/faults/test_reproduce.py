"""Runs of varied kinds are reproduced to the bit, or a true sentence says what is not restored."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import clean_environment
from tests.programs import cleaned_up, wait_until
from tests.provenance.test_origin import git
from tests.reproducing.project import NET, USUAL, Project

ALONE: dict[str, tuple[str, ...]] = {
    "defaults": (),
    "another seed": ("seed=7",),
    "convnet, limited batches": ("model=convnet", "trainer.limit_batches=3"),
    "AdamW, cosine": ("optimizer=adamw", "schedule=cosine"),
    "one cycle": ("schedule=onecycle",),
    "validation, best weights": ("data.validation_size=150", "trainer.save_best=true"),
    "patience": ("data.validation_size=150", "trainer.patience=1", "trainer.epochs=6"),
    "own module in the repository": ("model._target_=own_net.Net",),
    "diverged": ("optimizer.lr=1e30",),
}
FAILING = """
from experiments.models import SimpleNet

class Failing(SimpleNet):
    steps = 0

    def forward(self, x):
        self.steps += self.training
        if self.steps > 40:  # in the second epoch
            raise ArithmeticError("too many steps")
        return super().forward(x)
"""
SLOW = """
import os, time
from experiments.models import SimpleNet

class Slow(SimpleNet):
    def forward(self, x):
        if self.training:
            time.sleep(float(os.environ.get("PACE", "0")))
        return super().forward(x)
"""


@dataclass(frozen=True)
class Case:
    """A run to reproduce."""

    run: Path
    said: str = "Equal to the bit"
    status: int = 0
    also: str = ""
    """a second sentence"""
    environment: tuple[tuple[str, str], ...] = ()


def first_cases(project: Project) -> dict[str, Case]:
    """Train at the first commit."""
    cases = {
        name: Case(project.train(name.replace(" ", "-").replace(",", ""), *overrides))
        for name, overrides in ALONE.items()
    }
    target = "model._target_=own_failing.Failing"
    project.write("own_failing.py", FAILING)
    project.write("own_slow.py", SLOW)
    project.commit("more models")
    failed = project.train("failed", target, "trainer.epochs=4", status=1)
    cases["failed"] = Case(failed, "Equal to the bit as far as the run got", also="too many steps")
    cases["killed and resumed"] = Case(killed_and_resumed(project))
    wide = ("model.hidden='${oc.decode:${oc.env:WIDTH}}'",)
    same, other = (project.train(f"width-{n}", *wide, WIDTH=f"[{n}]") for n in (32, 48))
    cases["environment"] = Case(same, environment=(("WIDTH", "[32]"),))
    cases["changed environment"] = Case(
        other, "Different: ", 1, "where its value has changed", (("WIDTH", "[40]"),)
    )
    unset = project.train("width-64", *wide, WIDTH="[64]")
    cases["unset variable"] = Case(unset, "WIDTH", 1)
    sweep = project.train("sweep", "-m", "optimizer.lr=0.01,0.05")
    cases["job of a sweep"] = Case(sweep / "1")
    lanes = ("hydra/launcher=vectorized", "hydra.launcher.lanes=3", "seed=0,1,2")
    stack = project.train("lanes", "-m", *lanes, "model.hidden=[64]")
    cases["lane"] = Case(stack / "1", also="beside a twin")
    lanes = (*lanes[:2], "trainer.epochs=1,3", "model.hidden=[72]")
    stack = project.train("unequal-lanes", "-m", *lanes)
    cases["lane that outlasts its neighbour"] = Case(stack / "1", also="beside a twin")
    return cases


def killed_and_resumed(project: Project) -> Path:
    """Kill a run with SIGKILL in its second epoch, and train it to the end."""
    folder = project.folder / "outputs" / "killed"
    overrides = ("model._target_=own_slow.Slow", "model.hidden=[40]", f"data.root={project.root}")
    program = (sys.executable, "train.py", *USUAL, *overrides, "hydra.run.dir=outputs/killed")
    process = cleaned_up(
        subprocess.Popen(
            program,
            cwd=project.folder,
            env=clean_environment() | project.environment | {"PACE": "0.05"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
        )
    )
    wait_until(lambda: list(folder.glob("checkpoints/*.safetensors")))
    process.kill()
    process.communicate()
    return project.train("killed", *overrides[:2])


def beside_cases(project: Project) -> dict[str, Case]:
    """Train with packages outside the repository; change one of them afterwards."""
    for name in ("kept_net", "changed_net"):
        project.write(f"../beside/{name}.py", NET.format(factor=1))
    kept = project.train("kept", "model._target_=kept_net.Net")
    altered = project.train("altered", "model._target_=changed_net.Net")
    project.write("../beside/changed_net.py", NET.format(factor=2))
    lost = "source of changed_net has changed since, and its former content is in no file"
    return {
        "package beside the project": Case(kept),
        "changed package beside the project": Case(altered, "Different: ", 1, lost),
    }


def dirty_cases(project: Project) -> dict[str, Case]:
    """Train with uncommitted changes, and drop them afterwards."""
    models = project.folder / "src" / "experiments" / "models.py"
    models.write_text(models.read_text().replace("F.relu(", "F.gelu("))
    project.write("own_new.py", NET.format(factor=3))
    project.write("conf/experiment/mine.yaml", "# @package _global_\noptimizer:\n  lr: 0.03\n")
    cases = {
        "changed file": Case(project.train("dirty"), also="uncommitted changes"),
        "new module": Case(project.train("new", "model._target_=own_new.Net")),
        "new configuration file": Case(
            project.train("mine", "experiment=mine"), also="experiment/mine.yaml was not committed"
        ),
    }
    git(project.folder, "checkout", "-q", ".")
    git(project.folder, "clean", "-qfd")
    return cases


def unusual_cases(project: Project) -> dict[str, Case]:
    """Train outside git and with an ignored module; damage files."""
    hidden = project.folder / ".git"
    hidden.rename(project.folder.parent / "git")
    outside = project.train("outside", "model.hidden=[24]")
    (project.folder.parent / "git").rename(hidden)
    with (hidden / "info" / "exclude").open("a") as file:
        file.write("own_ignored.py\n")
    project.write("own_ignored.py", NET.format(factor=1))
    ignored = project.train("ignored", "model._target_=own_ignored.Net")
    damaged, lost = (project.train(name, f"seed={name[-1]}") for name in ("run-3", "run-4"))
    (damaged / "weights.safetensors").write_bytes(b"nothing")
    (lost / "identity.json").unlink()
    return {
        "outside git": Case(
            outside, "Different: ", 1, "the source of experiments has changed since"
        ),
        "ignored module": Case(ignored, "No module named 'own_ignored'", 1),
        "damaged weights": Case(damaged, also="is damaged: its SHA-256 is not the one"),
        "lost identity.json": Case(lost, also="whether the code and data are the run's"),
    }


KINDS: tuple[Callable[[Project], dict[str, Case]], ...] = (
    first_cases,
    beside_cases,
    dirty_cases,
    unusual_cases,
)


@pytest.mark.faults
@pytest.mark.row("repeatable runs")
def test_runs_of_varied_kinds(tmp_path: Path, root: str, record_property) -> None:
    project = Project(tmp_path, root)
    cases = {name: case for kind in KINDS for name, case in kind(project).items()}
    models = project.folder / "src" / "experiments" / "models.py"
    models.write_text(models.read_text().replace("F.relu(", "F.silu("))
    project.commit("another model")  # every run above is older than HEAD
    wrong = {}
    for name, case in cases.items():
        done = project.reproduce(case.run, **dict(case.environment))
        said = done.stdout + done.stderr
        print(f"{name}: {done.returncode}\n{said}")
        if done.returncode != case.status or case.said not in said or case.also not in said:
            wrong[name] = said
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{project.folder}", str(shallow))
    shutil.copytree(cases["defaults"].run, shallow / "outputs" / "run")
    gone = project.reproduce(Path("outputs/run"), cwd=shallow)
    assert gone.returncode == 1
    assert "`git fetch --unshallow` brings it" in gone.stderr
    equal = sum(case.status == 0 for case in cases.values())
    record_property(
        "figure",
        f"{len(cases) + 1} runs of varied kinds, all older than HEAD: {equal} equal to the bit, "
        f"{len(cases) + 1 - equal} with a sentence on the part that is not restored",
    )
    assert wrong == {}
