"""A finished run that is asked for other metrics is measured again, and not trained again."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments import journal
from experiments.journal import History
from tests.programs import provide_database

SIZES = ("data.validation_size=300", "trainer.epochs=2", "hydra.run.dir=run")
F1 = "+task/metric@task.metrics.f1=f1"
METRIC = """
import torch
def share(outputs: torch.Tensor, targets: torch.Tensor, k: int = 1) -> torch.Tensor:
    return {value} * (outputs.argmax(1) == targets).float().mean()
"""
OWN = ("+task.metrics.own._target_=own_metric.share", "+task.metrics.own.direction=maximize")


def starts(past: History) -> int:
    events, _ = journal.read(past.folder)
    return sum(event["event"] in {"start", "continue"} for event in events)


@pytest.mark.parametrize(
    "best", [(), pytest.param(("trainer.save_best=true",), marks=pytest.mark.slow)]
)
def test_it_has_the_values_of_a_run_that_had_the_metric_from_the_first(
    offline, tmp_path: Path, best
) -> None:
    assert offline(*SIZES, *best).returncode == 0
    before = journal.history(tmp_path / "run")
    asked = offline(*SIZES, *best, F1, "task.objective=f1", "hydra.run.dir=other")
    whole = offline(*SIZES, *best, F1, "outputs=others", "hydra.run.dir=whole")
    assert whole.returncode == 0, whole.stderr
    expected = journal.history(tmp_path / "whole").metrics
    if best:  # there the metrics decide over the weights
        assert "Finished before" not in asked.stdout
        assert (tmp_path / "other").exists()
        return
    assert f"Finished before: test f1 {expected['test_f1']:.4g}, accuracy " in asked.stdout
    assert not (tmp_path / "other").exists()
    past = journal.history(tmp_path / "run")
    assert starts(past) == 1
    assert past.status == "FINISHED"
    assert past.metrics == before.metrics | {key: expected[key] for key in ("test_f1", "val_f1")}
    again = offline(*SIZES, F1, "hydra.run.dir=other")
    assert "Finished before: test accuracy" in again.stdout
    assert journal.history(tmp_path / "run").metrics == past.metrics


def test_an_edited_metric_is_measured_again(offline, tmp_path: Path) -> None:
    module = tmp_path / "own_metric.py"
    module.write_text(METRIC.format(value=1))
    assert offline(*SIZES, *OWN, PYTHONPATH=str(tmp_path)).returncode == 0
    past = journal.history(tmp_path / "run")
    assert past.metrics["test_own"] == pytest.approx(past.metrics["test_accuracy"])
    module.write_text(METRIC.format(value="2.0"))  # Python may compare size and second only
    asked = offline(*SIZES, *OWN, PYTHONPATH=str(tmp_path))
    assert "Finished before" in asked.stdout
    again = journal.history(tmp_path / "run")
    assert again.metrics["test_own"] == 2 * past.metrics["test_own"]
    assert again.tags["weights_sha256"] == past.tags["weights_sha256"]
    assert starts(again) == 1


def test_a_job_of_a_sweep_is_measured_too(offline, tmp_path: Path) -> None:
    jobs = ("data.validation_size=300", "trainer.epochs=2")
    assert offline(*jobs, "seed=0,1", "hydra.sweep.dir=first", "-m").returncode == 0
    metric = (F1, "task.objective=f1")
    again = offline(*jobs, "seed=0,1,2", *metric, "hydra.sweep.dir=second", "-m")
    assert "3 jobs: 0 finished, 0 to resume, 1 new, 0 invalid, 0 duplicates, 2 to measure" in (
        again.stdout
    )
    assert "The best by validation f1" in again.stdout
    for number in (0, 1):
        past = journal.history(tmp_path / "first" / str(number))
        assert {"val_f1", "test_f1"} <= past.metrics.keys()
        assert starts(past) == 1
    assert not (tmp_path / "second" / "0").exists()


def test_in_mlflow_it_stays_finished_and_gets_the_metric(offline, tmp_path: Path) -> None:
    from mlflow import MlflowClient

    provide_database(tmp_path, ())
    store = f"tracking.uri=sqlite:///{tmp_path}/mlflow.db"
    assert offline(*SIZES, store).returncode == 0
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    (experiment,) = client.search_experiments(filter_string="name != 'Default'")
    (before,) = client.search_runs([experiment.experiment_id])
    asked = offline(*SIZES, store, F1)
    assert f"MLflow run {before.info.run_id}" in asked.stdout
    (after,) = client.search_runs([experiment.experiment_id])
    assert (after.info.status, after.info.end_time) == ("FINISHED", before.info.end_time)
    assert {"test_f1", "val_f1"} == after.data.metrics.keys() - before.data.metrics.keys()
