"""Shared fixtures: the project's folder, the digits, runs of the program itself, and Chromium."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from _pytest.mark import ParameterSet

from tests import forks
from tests.terminal import Terminal

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from experiments.inference.trained import Trained

# As `experiments.run.load_torch` sets it: parallel tests would wait for spinning threads.
os.environ.setdefault("GOMP_SPINCOUNT", "2000")

PROJECT = Path(__file__).parent.parent
EXPERIMENTS = str(Path(sys.executable).parent / "experiments")
TRAIN = str(PROJECT / "train.py")
Program = Callable[..., subprocess.CompletedProcess[str]]
Starter = Callable[..., subprocess.Popen[str]]


@pytest.fixture(scope="session")
def project() -> Path:
    return PROJECT


def new_project(folder: Path, files: Mapping[str, str]) -> Path:
    """Copy train.py and conf/ into a folder, and write a user's files beside them."""
    shutil.copytree(PROJECT / "conf", folder / "conf")
    shutil.copy(PROJECT / "train.py", folder)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A data root that all tests share, so that the digits are written once."""
    return str(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def digits(root: str):
    from experiments.data import Digits
    from experiments.data.splits import load

    return load(Digits, {"root": root})


@pytest.fixture(scope="session")
def seeds_sweep(tmp_path_factory: pytest.TempPathFactory, root: str) -> Path:
    """A folder with a sweep in `outputs/sweep`; its best setting has three seeds.

    Tests that use it belong to the xdist group "inference", whose worker trains it once.
    """
    folder = tmp_path_factory.mktemp("seeds")
    done = command(
        *(sys.executable, str(PROJECT / "train.py"), "-m", "hydra/launcher=vectorized"),
        *("hydra.sweep.dir=outputs/sweep", "data=digits", f"data.root={root}"),
        *("tracking=none", "trainer.epochs=4", "optimizer.lr=0.0001,0.05", "seed=0,1,2"),
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def members(seeds_sweep: Path) -> Sequence[Trained]:
    """The models of the best setting of the sweep."""
    from experiments.inference.ensemble import load_members
    from experiments.inference.members import members_of

    outputs = seeds_sweep / "outputs"
    return load_members([run.folder for run in members_of(str(outputs / "sweep"), outputs)])


def cases(table: Mapping[str, Sequence[object]], usual: int) -> list[ParameterSet]:
    """Return the entries of a table as parameters; all after the first `usual` are slow."""
    marks = [()] * usual + [(pytest.mark.slow,)] * (len(table) - usual)
    return [
        pytest.param(*values, id=name, marks=mark)
        for (name, values), mark in zip(table.items(), marks, strict=True)
    ]


def clean_environment() -> dict[str, str]:
    """Return the environment without the developer's settings, and without the models in MLflow.

    A model takes seconds of computing after each run; the tests of it ask for it. Without bytecode,
    each of a thousand processes would compile this package for a fifth of a second.
    """
    drop = ("MLFLOW_", "HYDRA_", "PYTHONDONTWRITEBYTECODE")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(drop)}
    return kept | {"EXPERIMENTS_LOG_MODEL": "false"}


def command(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, without the developer's own settings in the environment."""
    return subprocess.run(
        arguments,
        cwd=cwd,
        env=clean_environment() | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def forked(
    script: str, *arguments: str, cwd: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run `TRAIN` or `EXPERIMENTS` as `command` does, in a fork, which takes a second less."""
    return forks.run((script, *arguments), cwd, clean_environment(), environment)


@pytest.fixture
def train(tmp_path: Path) -> Program:
    """Run train.py in an empty folder, as a user would, in a fork."""

    def run(*overrides: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return forked(TRAIN, *overrides, cwd=tmp_path, **environment)

    return run


@pytest.fixture
def offline(train: Program, tmp_path: Path, root: str) -> Program:
    """Run train.py on the digits for one epoch, without MLflow unless asked."""

    def run(*overrides: str, **environment: str) -> subprocess.CompletedProcess[str]:
        tracked = any(override.startswith("tracking") for override in overrides)
        if "tracking=mlflow" in overrides and "MLFLOW_TRACKING_URI" not in environment:
            from tests.programs import provide_database

            provide_database(tmp_path, ())
        extra = () if tracked else ("tracking=none",)
        return train(
            "data=digits",
            f"data.root={root}",
            "trainer.epochs=1",
            *extra,
            *overrides,
            **environment,
        )

    return run


@pytest.fixture
def start(tmp_path: Path, root: str) -> Starter:
    """Start a run of 6 epochs that draws random numbers, in a folder below tmp_path."""

    def begin(
        place: str, *overrides: str, slow: float = 0, held_after: int | None = None
    ) -> subprocess.Popen[str]:
        usual = ("trainer.epochs=6", "data.validation_size=100")
        folder = tmp_path / place
        from tests.programs import holding
        from tests.programs import start as start_program

        pace = {"SLOW": str(slow)}
        if held_after is not None:  # in batches; an epoch has 22
            pace = holding(tmp_path, after=held_after)
        return start_program(folder, root, "Dropping", *usual, *overrides, **pace)

    return begin


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Terminal]:
    """Put a terminal of 80 columns in place of stdout, where pytest's capture would be."""
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"TERM": "xterm", "COLUMNS": "80"}.items():
        monkeypatch.setenv(name, value)

    def replace() -> Terminal:
        terminal = Terminal()
        monkeypatch.setattr(sys, "stdout", terminal)
        return terminal

    return replace


@pytest.fixture(scope="module")  # a process can hold one Playwright, and other modules need it too
def chromium() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    from tests.tracking.test_pages import CHROMIUM, SANDBOX

    if CHROMIUM is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=SANDBOX)
        yield browser
        browser.close()


@pytest.fixture(autouse=True)
def denormals_are_numbers() -> Iterator[None]:
    """Undo the processor setting of tests that prepare a run in this process."""
    yield
    if torch := sys.modules.get("torch"):
        torch.set_flush_denormal(False)


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    """Kill the processes that a failed test leaves running."""
    yield
    from tests.programs import stop_all

    stop_all()


def run_folder(cwd: Path) -> Path:
    """Return the folder of the only run under outputs/."""
    (folder,) = (journal.parent for journal in cwd.glob("outputs/**/journal.jsonl"))
    return folder
