"""Sweeps over the digits on every launcher that is installed."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from tests import forks
from tests.conftest import PROJECT, clean_environment
from tests.programs import OWN, cleaned_up, provide_database

LAUNCHERS = [
    pytest.param(("basic",), id="basic"),
    pytest.param(("vectorized", "hydra.launcher.lanes=3"), id="vectorized", marks=pytest.mark.slow),
    pytest.param(("processes", "hydra.launcher.n_jobs=2"), id="joblib"),
    pytest.param(
        ("ray_cluster", "hydra.launcher.ray.init.num_cpus=2"),
        id="ray",
        marks=pytest.mark.launchers,
    ),
    pytest.param(("submitit_local",), id="submitit", marks=pytest.mark.launchers),
]


@dataclass(frozen=True)
class Sweep:
    """Sweeps in one folder, with the models of tests/programs.py beside it."""

    folder: Path
    root: str
    launcher: tuple[str, ...] = ("basic",)

    def command(self, *overrides: str, model: str = "Fragile") -> list[str]:
        launcher, *options = self.launcher
        usual = ["data=digits", f"data.root={self.root}", "trainer.epochs=1", "trainer.threads=1"]
        if model == "Fragile":
            usual.append("+model.fate=fine")
        overrides = tuple(re.sub("^model.fate=", "+model.fate=", text) for text in overrides)
        chosen = {text.partition("=")[0].lstrip("+") for text in overrides}
        return [
            *(sys.executable, str(PROJECT / "train.py"), "-m", f"hydra/launcher={launcher}"),
            *options,
            f"model._target_=own.{model}",
            *(text for text in usual if text.partition("=")[0].lstrip("+") not in chosen),
            *overrides,
        ]

    def environment(self) -> dict[str, str]:
        self.folder.mkdir(exist_ok=True)
        (self.folder / "own.py").write_text(OWN)
        return clean_environment() | {"PYTHONPATH": str(self.folder), "RAY_AUTH_MODE": "disabled"}

    def run(
        self, *overrides: str, model: str = "Fragile", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        given = self.environment()
        provide_database(self.folder, overrides)
        command = self.command(*overrides, model=model)
        if self.launcher[0] in {"basic", "vectorized"} and "PYTHONIOENCODING" not in environment:
            return forks.run(command[1:], self.folder, given, environment)
        return subprocess.run(
            command,
            cwd=self.folder,
            env=given | environment,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )

    def start(
        self, *overrides: str, model: str = "Slow", **environment: str
    ) -> subprocess.Popen[str]:
        environment = self.environment() | environment
        provide_database(self.folder, overrides)
        return cleaned_up(
            subprocess.Popen(
                self.command(*overrides, model=model),
                cwd=self.folder,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )

    @property
    def folders(self) -> list[Path]:
        """The folders of all sweeps."""
        return sorted(self.folder.glob("outputs/*/*_sweep"))

    def jobs(self) -> list[dict[str, str]]:
        """The lines of the only sweep's jobs.csv."""
        (folder,) = self.folders
        return list(csv.DictReader((folder / "jobs.csv").read_text().splitlines()))


def training(sweep: Sweep) -> list[Path]:
    """Return the folders of jobs that have begun."""
    return [path.parent for path in sweep.folder.glob("outputs/*/*_sweep/*/journal.jsonl")]


def runs(folder: Path) -> list[Run]:
    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    return list(client.search_runs([e.experiment_id for e in client.search_experiments()]))


@pytest.fixture
def sweep(tmp_path: Path, root: str) -> Sweep:
    return Sweep(tmp_path, root)


@pytest.fixture(params=LAUNCHERS)
def anywhere(request: pytest.FixtureRequest, tmp_path: Path, root: str) -> Sweep:
    """A sweep on each launcher in turn."""
    return Sweep(tmp_path, root, request.param)
