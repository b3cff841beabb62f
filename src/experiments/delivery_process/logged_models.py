"""Logged models of a run in MLflow, and versions of them in its registry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from experiments import journal
from experiments.journal import History
from experiments.tracking.store import creating

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


def create(client: MlflowClient, run: Run, name: str) -> str:
    """Create a logged model of a run, with the run's parameters; return its id."""
    experiment, run_id = run.info.experiment_id, run.info.run_id
    with creating():
        made = client.create_logged_model(
            experiment, name, source_run_id=run_id, params=run.data.params
        )
    return str(made.model_id)


def finish(client: MlflowClient, run: Run, model_id: str, past: History) -> None:
    """Make a logged model the output of its run, with the metrics of the test; it is then ready."""
    from mlflow.entities import LoggedModelOutput, Metric

    step = max(step for _, step in past.points)
    linked = [each.model_id for each in run.outputs.model_outputs] if run.outputs else []
    if model_id not in linked:  # MLflow refuses a second link
        client.log_outputs(run.info.run_id, [LoggedModelOutput(model_id, step)])
    # With the times of the journal, since MLflow takes a point with another time for a second one.
    metrics = [
        Metric(key, value, event["time"], step, model_id=model_id, run_id=run.info.run_id)
        for event in journal.read(past.folder)[0]
        if event["event"] == "metrics" and event["step"] == step
        for key, value in event["metrics"].items()
    ]
    client.log_batch(run.info.run_id, metrics=metrics)
    client.finalize_logged_model(model_id, "READY")


def version_of(client: MlflowClient, name: str, models: Sequence[str], run_id: str) -> str:
    """Return the version of a model in the registry; the first gets one unless one of them has.

    Args:
        client: a client to the store.
        name: the name in the registry, which is created if there is none.
        models: the ids of equal logged models.
        run_id: the run of the first of them.
    """
    from mlflow.exceptions import MlflowException
    from mlflow.tracking._tracking_service.utils import _use_tracking_uri

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    sources = [f"models:/{each}" for each in models]
    for known in client.search_model_versions(f"name = '{name}'"):
        if known.source in sources:
            return str(known.version)
    # MLflow 3.17 looks the logged model up in the store of the process, not in that of the client.
    with creating(), _use_tracking_uri(client.tracking_uri):
        made = client.create_model_version(name, sources[0], run_id=run_id, model_id=models[0])
    return str(made.version)
