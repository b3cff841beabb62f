"""The record of a sweep's end: metrics, tags and files, anew each time that the sweep is run."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments import journal
from experiments.errors import RunError
from experiments.journal import Journal
from experiments.sweep.record import record_end
from experiments.sweep.report import JobResult
from experiments.sweep.verdict import judge
from experiments.tracking import recording
from tests.sweep.made_up import results


def record(folder: Path, made: list[JobResult]) -> journal.History:
    """Run the end of a sweep as one of its turns; return its history after that."""
    told = {"uri": None, "identity": "1", "experiment": "mnist", "name": "sweep", "dataset": None}
    told["given"] = {}
    with (
        Journal(folder) as opened,
        recording(
            journal=opened, past=journal.history(folder), params={}, tags={}, **told
        ) as recorder,
    ):
        recorder.tags({"sweep.command": "python train.py -m seed=0,1"})
        record_end(recorder, made, judge(made), folder)
    return journal.history(folder)


def test_a_turn_that_changes_the_counts_has_a_step_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="1 of 4 jobs have not finished"):
        record(tmp_path, results({"m.lr=1": [0.9, 0.8], "m.lr=2": [0.7, None]}))
    assert journal.history(tmp_path).metrics["jobs_failed"] == 1
    assert (tmp_path / "jobs.csv").exists()
    again = record(tmp_path, results({"m.lr=1": [0.9, 0.8], "m.lr=2": [0.7, 0.6]}))
    assert [again.points["jobs_failed", step] for step in (0, 1)] == [1, 0]
    assert again.metrics["jobs_finished"] == 4


def test_the_metrics_and_tags_are_those_of_the_best_setting(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    found = record(tmp_path / "1", results({"m.lr=1": [0.9, 0.8], "m.lr=2": [0.99, 0.1]}))
    assert found.metrics == {
        "best_mean": pytest.approx(0.85),
        "best_std": pytest.approx(0.005**0.5),
        "best_n": 2,
        "jobs": 4,
        "jobs_finished": 4,
        "jobs_failed": 0,
        "jobs_diverged": 0,
    }
    assert found.tags["sweep.best_setting"] == "lr=1"
    assert found.tags["sweep.best_run_id"] == "run0"
    assert "python train.py -m seed=0,1" in found.tags["mlflow.note.content"]
    (tmp_path / "2").mkdir()
    single = record(tmp_path / "2", results({"m.lr=1": [0.9], "m.lr=2": [0.8]}))
    assert "best_std" not in single.metrics
