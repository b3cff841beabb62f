"""Two real sweeps on the digits, one in MLflow and one with failures."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from experiments.catalog.summary import Summary, summary_of
from tests.conftest import command
from tests.programs import OWN, provide_database
from tests.tracking.conftest import TRAIN


@dataclass(frozen=True)
class Sweeps:
    """A folder with two sweeps and their jobs."""

    folder: Path

    @property
    def good(self) -> Path:
        """Eight finished jobs of two factors, in MLflow."""
        return self.folder / "outputs" / "good"

    @property
    def bad(self) -> Path:
        """A finished job, a diverged one, and two that failed, without MLflow."""
        return self.folder / "outputs" / "bad"


@pytest.fixture(scope="session")
def made_sweeps(tmp_path_factory: pytest.TempPathFactory, root: str) -> Sweeps:
    folder = tmp_path_factory.mktemp("sweeps")
    (folder / "own.py").write_text(OWN)
    provide_database(folder, ())
    usual = (*TRAIN, "-m", "data=digits", f"data.root={root}", "trainer.epochs=3")
    varied = ("optimizer.lr=0.001,0.1", "optimizer=sgd,sgd_momentum", "seed=0,1")
    split = ("data.validation_size=200", "hydra/launcher=vectorized")
    done = command(*usual, *split, *varied, "hydra.sweep.dir=outputs/good", cwd=folder)
    assert done.returncode == 0, done.stderr
    fates = ("model._target_=own.Fragile", "+model.fate=none,raise", "+model.first=12")
    lr = ("optimizer.lr=0.1,1e30", "tracking=none", "hydra.sweep.dir=outputs/bad")
    done = command(*usual, *fates, *lr, cwd=folder, PYTHONPATH=str(folder))
    assert "2 of 4 jobs have not finished" in done.stderr
    # A copy of a run knows its original, so the tests get a project that was moved.
    return Sweeps(folder.rename(folder.with_name("moved")))


@pytest.fixture
def sweeps(made_sweeps: Sweeps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sweeps:
    """A copy of the sweeps, which a test may change, in the current folder."""
    shutil.copytree(made_sweeps.folder, tmp_path / "sweeps")
    monkeypatch.chdir(tmp_path / "sweeps")
    monkeypatch.syspath_prepend(str(tmp_path / "sweeps"))
    return Sweeps(tmp_path / "sweeps")


def found(folder: Path) -> Summary:
    summary = summary_of(folder)
    assert summary is not None
    return summary
