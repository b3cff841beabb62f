"""A recorded run on the digits, and what its exports need."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.catalog.summary import Summary, summary_of
from experiments.cli.main import app
from experiments.exporting.source import Source, source_of
from experiments.inference.trained import load_trained
from tests.conftest import run_folder
from tests.tracking.conftest import made

__all__ = ["made"]
Command = Callable[..., str]


@pytest.fixture(scope="session")
def run(made: Path) -> Summary:
    found = summary_of(run_folder(made))
    assert found is not None
    return found


@pytest.fixture(scope="session")
def source(run: Summary) -> Source:
    return source_of(run, load_trained(run.folder))


@pytest.fixture
def command(
    made: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Give a command in the folder of the run, in this process; return its output."""
    monkeypatch.chdir(made)
    monkeypatch.syspath_prepend(str(made))

    def give(*arguments: str) -> str:
        app([*arguments], standalone_mode=False)
        return capsys.readouterr().out

    return give
