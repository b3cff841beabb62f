"""A secret, given in any way, is in no file, no database cell and no printed line."""

from __future__ import annotations

import functools
import shutil
import sqlite3
import subprocess
import sys
import uuid
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from experiments.sweep.compose import as_override
from tests.conftest import PROJECT, clean_environment
from tests.programs import provide_database

pytestmark = pytest.mark.xdist_group("secrets")  # one worker runs the commands, for all tests
MODEL = """
import logging
import os
import warnings
from experiments.models import SimpleNet

API_TOKEN = {literal!r}

class Telling(SimpleNet):
    def __init__(self, inputs, hidden, classes, fails=False, **secrets):
        super().__init__(inputs=inputs, hidden=hidden, classes=classes)
        self.fails, self.secrets, self.steps = fails, secrets, 0

    def forward(self, x):
        self.steps += self.training
        if self.steps == 2 and self.secrets:  # the first step is tried before the run begins
            secrets, self.secrets = self.secrets, {{}}
            print("printed", *secrets.values())
            logging.getLogger(__name__).info("logged %s", secrets)
            warnings.warn(f"warned {{secrets}}")
            print("environment", dict(os.environ))
            if self.fails:
                self.log_in(**secrets)
        return super().forward(x)

    def log_in(self, **secrets):
        for secret in secrets.values():
            try:
                raise ValueError(f"401 for {{secret}}")
            except ValueError as error:
                raise RuntimeError(f"no user\\n{{secret!r}}") from error
"""
LAUNCHER = """
from pathlib import Path
import cloudpickle
from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.singleton import Singleton

class PicklingLauncher(BasicLauncher):
    def launch(self, job_overrides, initial_job_idx):
        self.write("given", (self.config, self.hydra_context, self.task_function, job_overrides))
        self.write("state", Singleton.get_state())
        returned = super().launch(job_overrides, initial_job_idx)
        self.write("returned", returned)
        return returned

    def write(self, name, what):
        Path(f"{name}.pkl").write_bytes(cloudpickle.dumps(what))
"""


def new() -> tuple[str, str]:
    return uuid.uuid4().hex[:12], uuid.uuid4().hex[:12]


@dataclass
class Commands:
    """Commands in a Git repository with a copy of the project, and the secrets given to them."""

    place: Path
    root: str
    secrets: dict[str, tuple[str, str]] = field(default_factory=lambda: defaultdict(new))
    printed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.project, self.folder = self.place / "project", self.place / "work"
        self.folder.mkdir(parents=True)
        for name in ("src", "conf"):
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(PROJECT / name, self.project / name, ignore=ignored)
        for name in ("train.py", "pyproject.toml", ".gitignore"):
            shutil.copy(PROJECT / name, self.project)
        self.git("init", "-q")
        self.git("add", ".")
        self.git("commit", "-qm", "first")
        self.git("remote", "add", "origin", f"https://{self.secret('remote', nasty=False)}@host/x")
        (self.project / "own.py").write_text(MODEL.format(literal=self.secret("new code")))
        (self.project / "notes.txt").write_text(self.secret("new file"))
        usual = yaml.safe_load((PROJECT / "conf/tracking/none.yaml").read_text())
        team = usual | {"uri": self.address("new settings", nasty=False)}
        (self.project / "conf/tracking/team.yaml").write_text(yaml.safe_dump(team))
        with (self.project / "pyproject.toml").open("a") as file:
            file.write(f'\n[tool.own]\nurl = "{self.address("edited file")}"\n')
            file.write(f"token = {self.secret('edited line', nasty=False)}\n")
        (self.project / "src/hydra_plugins/pickling.py").write_text(LAUNCHER)
        target = "_target_: hydra_plugins.pickling.PicklingLauncher\n"
        (self.project / "conf/hydra/launcher/pickling.yaml").write_text(target)

    def git(self, *arguments: str) -> None:
        who = ("-c", "user.name=A", "-c", "user.email=a@example.org")
        subprocess.run(("git", *who, *arguments), cwd=self.project, check=True)

    def secret(self, way: str, *, nasty: bool = True) -> str:
        first, last = self.secrets[way]
        return f"{first}/ :'\"%@\\ü{last}" if nasty else first + last

    def address(self, way: str, *, nasty: bool = True) -> str:
        password = self.secret(way) if nasty else "@".join(self.secrets[way])
        return f"http://me:{password}@127.0.0.1:9"

    def run(self, *overrides: str, flags: Sequence[str] = (), **environment: str) -> str:
        """Return what a command prints."""
        usual = ("data=digits", f"data.root={self.root}", "trainer.epochs=1")
        done = subprocess.run(
            (sys.executable, self.project / "train.py", *flags, *usual, *overrides),
            cwd=self.folder,
            env=clean_environment()
            | {"PYTHONPATH": f"{self.project / 'src'}:{self.project}"}
            | environment,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory, root: str) -> Commands:
    """Return the printed and written output of commands that received secrets in every way."""
    told = Commands(tmp_path_factory.mktemp("secrets"), root)
    environment = {
        "TEAM_VALUE": told.secret("oc.env"),
        "MLFLOW_TRACKING_PASSWORD": told.secret("MLflow's password"),
        "AWS_SECRET_ACCESS_KEY": told.secret("another variable"),
        "DATABASE": told.address("address in a variable"),
    }
    telling = (
        "model._target_=own.Telling",
        "+model.team='${oc.env:TEAM_VALUE}'",
        "+model.more=['pre-${model.team}']",
        as_override("+model.password", told.secret("typed")),
        as_override("+model.url", told.address("typed address")),
    )
    provide_database(told.folder, ())
    outside = told.address("MLflow's address", nasty=False)
    waiting = (  # for servers that are dead
        functools.partial(told.run, "tracking=team", "seed=1"),
        functools.partial(told.run, uri(told.address("tracking.uri", nasty=False)), "seed=2"),
        functools.partial(told.run, "seed=3", MLFLOW_TRACKING_URI=outside),
        functools.partial(told.run, uri(told.address("no address"))),
    )
    with ThreadPoolExecutor() as pool:
        commands = [pool.submit(command) for command in waiting]
        told.printed += [
            told.run(*telling, **environment),
            told.run(*telling, "+model.fails=true", **environment),
            *(command.result() for command in commands),
        ]
    sweep = told.run(
        *("hydra/launcher=pickling", *telling[:3], "+model.fails=true,false"),
        "+model.token="
        + ",".join(as_override("", told.secret(way))[1:] for way in ("swept", "swept as well")),
        as_override("+model.url", told.address("address of a sweep")),
        flags=("-m",),
        **environment,
    )
    told.printed.append(sweep)
    return told


def uri(address: str) -> str:
    return as_override("tracking.uri", address)


WAYS = (
    *("oc.env", "MLflow's password", "another variable", "address in a variable", "typed"),
    *("typed address", "new settings", "tracking.uri", "MLflow's address", "swept"),
    *("swept as well", "address of a sweep", "remote", "new code", "new file", "edited file"),
    *("edited line", "no address"),
)


@pytest.mark.row("exposure")
@pytest.mark.parametrize("way", WAYS)
def test_a_secret_is_nowhere(commands: Commands, way: str) -> None:
    for part in commands.secrets[way]:
        for printed in commands.printed:
            assert part not in printed, printed
        for path in commands.folder.rglob("*"):
            assert part not in str(path)
            assert not path.is_file() or part.encode() not in path.read_bytes(), path
        for cell in cells(commands.folder / "mlflow.db"):
            assert part not in str(cell)


def cells(database: Path) -> list[object]:
    with sqlite3.connect(database) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return [
            cell
            for (table,) in list(tables)
            for row in connection.execute(f"SELECT * FROM {table}")
            for cell in row
        ]


def test_the_commands_told_what_they_were_told(commands: Commands) -> None:
    assert set(commands.secrets) == set(WAYS)
    well, badly, *dead, wrong, sweep = commands.printed
    for printed in (well, badly):
        assert "printed ***" in printed
        assert "logged {'team': '***'" in printed
        assert "warned {'team': '***'" in printed
    assert "RuntimeError: no user" in badly
    for printed in dead:
        assert "tracking.uri=http://me:***@127.0.0.1:9: nothing listens there" in printed
    assert "error: tracking.uri=http://me:***@127.0.0.1:9: is no complete address" in wrong
    assert "4 jobs: 0 finished" in sweep
    for name in ("given", "state", "returned"):
        assert (commands.folder / f"{name}.pkl").exists()
    (log,) = commands.folder.glob("outputs/*/*_sweep/0/train.log")
    for line in ("printed ***", "warned {", "RuntimeError: no user", "401 for ***"):
        assert line in log.read_text()
    (patch, *_) = commands.folder.glob("outputs/*/*/git.patch")
    assert "API_TOKEN = '***'" in patch.read_text()
    assert "team.yaml" in patch.read_text()
    params = [cell for cell in cells(commands.folder / "mlflow.db") if "oc.env" in str(cell)]
    assert "${oc.env:TEAM_VALUE}" in params
