"""A sweep of three seeds on the digits, and a run of another task, which the tests share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from experiments.inference.ensemble import load_members
from experiments.inference.members import members_of
from experiments.inference.trained import Trained
from tests.conftest import command
from tests.tracking.conftest import TRAIN


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, root: str) -> Path:
    """A folder with a sweep in `outputs/sweep`; its best setting has three seeds."""
    folder = tmp_path_factory.mktemp("inference")
    done = command(
        *(*TRAIN, "-m", "hydra/launcher=vectorized", "hydra.sweep.dir=outputs/sweep"),
        *("data=digits", f"data.root={root}", "tracking=none", "trainer.epochs=4"),
        *("optimizer.lr=0.0001,0.05", "seed=0,1,2"),
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def members(made: Path) -> Sequence[Trained]:
    """The models of the best setting of the sweep."""
    outputs = made / "outputs"
    return load_members([run.folder for run in members_of(str(outputs / "sweep"), outputs)])
