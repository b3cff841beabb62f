"""A call of MLflow's functions that cannot work in a run is refused, and records nothing."""

from __future__ import annotations

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from experiments import journal
from experiments.errors import RunError
from experiments.tracking.recorder import Recorder

ERRORS = {
    "a metric of the run": (
        lambda: mlflow.log_metric("val_loss", 1.0, step=7),
        "mlflow.log_metric('val_loss', …, step=7): the run records val_loss at every epoch, as it "
        "does with every metric that is logged without a step or with step 0; choose another name, "
        "or give no step",
    ),
    "a parameter of the configuration": (
        lambda: mlflow.log_param("optimizer.lr", 0.5),
        "mlflow.log_param('optimizer.lr', '0.5'): the configuration gives optimizer.lr the value "
        "0.01; choose another name",
    ),
    "a tag of the run": (
        lambda: mlflow.set_tag("device", "gpu"),
        "mlflow.set_tag('device', …): is a tag that MLflow or the run itself writes; choose "
        "another name",
    ),
    "a file of the run": (
        lambda: mlflow.log_text("x", "checkpoints/x"),
        "artifact checkpoints/x: the run has a checkpoints of its own; choose another name",
    ),
    "another experiment": (
        lambda: mlflow.set_experiment("other"),
        "mlflow.set_experiment('other'): this run belongs to the experiment e; set "
        "tracking.experiment=other and remove the call",
    ),
    "another run": (
        lambda: MlflowClient().log_metric("0" * 32, "a", 1.0),
        f"MLflow: {'0' * 32} is not the run that is trained here",
    ),
    "a search": (
        lambda: mlflow.search_runs(experiment_ids=["0"]),
        "MLflow: search_runs is not for a run in training",
    ),
    "a model": (
        lambda: mlflow.initialize_logged_model(name="m"),
        "MLflow: create_logged_model is not for a run in training",
    ),
    "a deleted tag": (
        lambda: mlflow.delete_tag("device"),
        "MLflow: delete_tag is not for a run in training",
    ),
}


@pytest.mark.parametrize(("call", "text"), ERRORS.values(), ids=ERRORS)
def test_a_call_that_cannot_work_is_refused_in_one_line(run: Recorder, call, text: str) -> None:
    run.metrics({"val_loss": 0.5}, 1)
    before = (run.folder / journal.NAME).read_bytes()
    with pytest.raises(RunError) as refusal:
        call()
    assert str(refusal.value).startswith(text)
    assert "\n" not in str(refusal.value)
    assert (run.folder / journal.NAME).read_bytes() == before


def test_a_name_that_mlflow_does_not_take_is_refused(run: Recorder) -> None:
    with pytest.raises(MlflowException, match="Invalid value"):
        mlflow.log_metric("a?", 1.0)


def test_a_metric_of_the_run_logged_with_a_step_before_is_told(run: Recorder) -> None:
    mlflow.log_metric("val_loss", 1.0, step=1)
    with pytest.raises(RunError, match=r"log_metric\('val_loss'.*choose another name"):
        run.metrics({"val_loss": 0.5}, 1)
