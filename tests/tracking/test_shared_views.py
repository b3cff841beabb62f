"""Shared views: an experiment gets the view of all its runs once, and each sweep one of its own."""

from __future__ import annotations

import json
import uuid

import pytest
from mlflow import MlflowClient

from experiments.registry.objective import ACCURACY, Direction, Objective
from experiments.tracking.shared_views import (
    ALL,
    has_view_of_all,
    provide_view_of_all,
    provide_view_of_sweep,
)
from experiments.tracking.store import provide_experiment

TAG = "mlflow.sharedViewState."


def test_an_experiment_gets_the_view_of_all_its_runs_once(client: MlflowClient, uri: str) -> None:
    experiment = provide_experiment(client, uri, uuid.uuid4().hex)
    assert not has_view_of_all(experiment)
    provide_view_of_all(client, experiment, ACCURACY)
    found = client.get_experiment(experiment.experiment_id)
    assert has_view_of_all(found)
    before = found.last_update_time
    provide_view_of_all(client, found, ACCURACY)
    assert client.get_experiment(experiment.experiment_id).last_update_time == before
    state = json.loads(found.tags[TAG + ALL])
    assert "metrics.`test_accuracy`" in state["selectedColumns"]


def test_the_view_of_all_runs_shows_each_objective_of_theirs(
    client: MlflowClient, uri: str
) -> None:
    experiment = provide_experiment(client, uri, uuid.uuid4().hex).experiment_id
    loss = Objective("loss", "minimize")
    for objective in (ACCURACY, loss, ACCURACY, None):
        provide_view_of_all(client, client.get_experiment(experiment), objective)
    state = json.loads(client.get_experiment(experiment).tags[TAG + ALL])
    assert [each for each in state["selectedColumns"] if each.startswith("metrics.")] == [
        *("metrics.`val_accuracy`", "metrics.`test_accuracy`"),
        *("metrics.`val_loss`", "metrics.`test_loss`", "metrics.`best_mean`"),
    ]
    client.set_experiment_tag(experiment, TAG + ALL, "of somebody else")
    provide_view_of_all(client, client.get_experiment(experiment), loss)
    state = json.loads(client.get_experiment(experiment).tags[TAG + ALL])
    assert "metrics.`test_loss`" in state["selectedColumns"]


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_the_view_of_a_sweep_shows_its_jobs_best_first(
    client: MlflowClient, uri: str, direction: Direction
) -> None:
    experiment = provide_experiment(client, uri, uuid.uuid4().hex).experiment_id
    provide_view_of_sweep(
        client,
        experiment,
        "abc",
        metrics=["val_accuracy", "test_accuracy"],
        params=["seed"],
        direction=direction,
    )
    state = json.loads(client.get_experiment(experiment).tags[f"{TAG}abc"])
    assert (state["orderByKey"], state["orderByAsc"]) == (
        "metrics.`val_accuracy`",
        direction == "minimize",
    )
    assert state["selectedColumns"][1:] == [
        "metrics.`val_accuracy`",
        "metrics.`test_accuracy`",
        "params.`seed`",
    ]
    parent = client.create_run(experiment, tags={"mlflow.parentRunId": "abc"})
    client.create_run(experiment)
    found = client.search_runs([experiment], state["searchFilter"])
    assert [run.info.run_id for run in found] == [parent.info.run_id]
