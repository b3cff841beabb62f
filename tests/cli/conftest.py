"""A folder with real runs in all states, which the tests of the commands share."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import EXPERIMENTS, PROJECT, command, forked
from tests.programs import finish, holding, start, wait_for_epoch


@dataclass(frozen=True)
class Lab:
    """A folder with runs, in which commands are given."""

    folder: Path

    def __call__(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Give a command of `experiments`."""
        return forked(EXPERIMENTS, *arguments, cwd=self.folder, **environment)

    def output(self, *arguments: str) -> str:
        """Return the output of a command that succeeds silently."""
        done = self(*arguments)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        return done.stdout

    def data(self, *arguments: str) -> Any:
        """Return what a command prints as JSON."""
        return json.loads(self.output(*arguments, "--json"))

    def error(self, *arguments: str) -> str:
        """Return the one line with which a command refuses."""
        done = self(*arguments)
        assert done.returncode == 2, done.stdout + done.stderr
        assert done.stdout == ""
        (line,) = done.stderr.splitlines()
        return line.removeprefix("error: ")

    def id_of(self, *filters: str) -> str:
        """Return the id of the only run that meets filters."""
        (run,) = self.data("ls", *filters)
        return str(run["id"])


@pytest.fixture(scope="session")
def made_lab(tmp_path_factory: pytest.TempPathFactory, root: str) -> Lab:
    """Four finished jobs of a sweep, a finished run in MLflow, one diverged, one dead."""
    folder = tmp_path_factory.mktemp("lab")
    usual = ("trainer.epochs=2", "tracking=none")
    finish(start(folder, root, "Slow", "trainer.epochs=2", "seed=7", SLOW="0"))
    finish(start(folder, root, "Slow", "optimizer.lr=1e30", *usual, SLOW="0"))
    dead = start(
        folder,
        root,
        "Slow",
        "seed=3",
        "trainer.epochs=3",
        "tracking=none",
        **holding(folder, after=30),
    )
    wait_for_epoch(dead, 1)
    dead.kill()
    dead.communicate()
    varied = ("optimizer.lr=0.01,0.1", "seed=0,1")
    sweep = (sys.executable, str(PROJECT / "train.py"), "-m", "hydra/launcher=vectorized")
    done = command(*sweep, "data=digits", f"data.root={root}", *usual, *varied, cwd=folder)
    assert done.returncode == 0, done.stderr
    return Lab(folder)


@pytest.fixture
def lab(made_lab: Lab, tmp_path: Path) -> Iterator[Lab]:
    """The folder for a test that changes it; afterwards it is as before.

    The test cannot work on a copy, because a copy of a run knows its original.
    """
    shutil.copytree(made_lab.folder, tmp_path / "before")
    yield made_lab
    shutil.rmtree(made_lab.folder)
    shutil.copytree(tmp_path / "before", made_lab.folder)
