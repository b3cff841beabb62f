"""Runs that are recorded in this process, as the current run of MLflow's functions."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest

from experiments import journal
from experiments.tracking.current_run import logged_to
from experiments.tracking.recorder import Recorder
from tests.tracking.recorded_run import recorded


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Recorder]:
    with (
        recorded(folder, {"optimizer.lr": "0.01"}, {"device": "cpu"}) as recorder,
        logged_to(recorder),
    ):
        yield recorder


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(None)  # tests before this one may have named a store
    with running(tmp_path / "run") as recorder:
        yield recorder
    assert list(tmp_path.iterdir()) == [tmp_path / "run"]  # no store of MLflow's beside it


def points(recorder: Recorder) -> dict[tuple[str, int], float]:
    return dict(journal.history(recorder.folder).points)
