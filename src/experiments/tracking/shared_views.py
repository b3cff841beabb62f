"""Shared views: the filter, columns and order in which the MLflow UI shows runs.

MLflow keeps a shared view as a tag of the experiment, in the form that its own button "Share"
writes, and opens it for an address with the tag's key. Without one its table shows neither metrics
nor parameters, and its start page is one for language models.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from experiments.tracking.tag_names import PARENT

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment

ALL = "runs"
"""the key of the view of all runs of an experiment"""
_TAG = "mlflow.sharedViewState."
_ALL_METRICS = ("val_accuracy", "test_accuracy", "best_mean")
_ALL_PARAMS = ("data", "model", "optimizer", "optimizer.lr", "trainer.epochs", "seed")


def provide_view_of_all(
    client: MlflowClient, experiment: Experiment, *, again: bool = False
) -> None:
    """Give an experiment the view of all its runs, the newest first, unless it has it.

    Args:
        client: a client to the store.
        experiment: the experiment.
        again: whether to write the view even if the experiment has it.

    Raises:
        MlflowException: the store fails.
    """
    state = _state(_ALL_METRICS, _ALL_PARAMS, order="attributes.start_time")
    if again or experiment.tags.get(_TAG + ALL) != state:
        client.set_experiment_tag(experiment.experiment_id, _TAG + ALL, state)


def provide_view_of_sweep(
    client: MlflowClient,
    experiment_id: str,
    run_id: str,
    *,
    metrics: Sequence[str],
    params: Sequence[str],
) -> None:
    """Give an experiment the view of a sweep's jobs, the best by the first metric first.

    Args:
        client: a client to the store.
        experiment_id: the experiment.
        run_id: the MLflow run of the sweep, which becomes the key of the view.
        metrics: the metrics to show.
        params: the parameters to show.

    Raises:
        MlflowException: the store fails.
    """
    state = _state(
        metrics,
        params,
        order=f"metrics.`{metrics[0]}`",
        search=f"tags.`{PARENT}` = '{run_id}'",
    )
    client.set_experiment_tag(experiment_id, _TAG + run_id, state)


def _state(metrics: Sequence[str], params: Sequence[str], *, order: str, search: str = "") -> str:
    columns = ["attributes.`Created`"]
    columns += [f"metrics.`{name}`" for name in metrics]
    columns += [f"params.`{name}`" for name in params]
    return json.dumps(
        {
            "searchFilter": search,
            "orderByKey": order,
            "orderByAsc": False,
            "startTime": "ALL",
            "lifecycleFilter": "Active",
            "datasetsFilter": [],
            "modelVersionFilter": "All Runs",
            "selectedColumns": columns,
            "runsPinned": [],
            "runsHidden": [],
            "runsExpanded": {},
            "useGroupedValuesInCharts": True,
            "groupBy": None,
        }
    )


def has_view_of_all(experiment: Experiment) -> bool:
    """Return whether an experiment has the view of all its runs."""
    return _TAG + ALL in experiment.tags
