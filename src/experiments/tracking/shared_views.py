"""Shared views: the filter, columns and order in which the MLflow UI shows runs.

MLflow keeps a shared view as a tag of the experiment, in the form that its own button "Share"
writes, and opens it for an address with the tag's key. Without one its table shows neither metrics
nor parameters, and its start page is one for language models.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from experiments.registry.objective import Direction, Objective
from experiments.tracking.tag_names import PARENT

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment

ALL = "runs"
"""the key of the view of all runs of an experiment"""
_TAG = "mlflow.sharedViewState."
_OF_SWEEPS = "best_mean"
_ALL_PARAMS = ("data", "model", "optimizer", "optimizer.lr", "trainer.epochs", "seed")


def provide_view_of_all(
    client: MlflowClient,
    experiment: Experiment,
    objective: Objective | None,
    *,
    again: bool = False,
) -> None:
    """Give an experiment the view of all its runs, the newest first, unless it has it.

    Args:
        client: a client to the store.
        experiment: the experiment.
        objective: the objective of a run; the view shows those of earlier runs too. None if there
            is no run yet.
        again: whether to write the view even if the experiment has it.

    Raises:
        MlflowException: the store fails.
    """
    metrics = _metrics_of(experiment.tags.get(_TAG + ALL, ""))
    if objective is not None:
        metrics += objective.keys[1:]
    metrics = [key for key in dict.fromkeys(metrics) if key != _OF_SWEEPS]
    state = _state([*metrics, _OF_SWEEPS], _ALL_PARAMS, order="attributes.start_time")
    if again or experiment.tags.get(_TAG + ALL) != state:
        client.set_experiment_tag(experiment.experiment_id, _TAG + ALL, state)


def provide_view_of_sweep(
    client: MlflowClient,
    experiment_id: str,
    run_id: str,
    *,
    metrics: Sequence[str],
    params: Sequence[str],
    direction: Direction,
) -> None:
    """Give an experiment the view of a sweep's jobs, the best by the first metric first.

    Args:
        client: a client to the store.
        experiment_id: the experiment.
        run_id: the MLflow run of the sweep, which becomes the key of the view.
        metrics: the metrics to show.
        params: the parameters to show.
        direction: the direction in which the first metric is better.

    Raises:
        MlflowException: the store fails.
    """
    state = _state(
        metrics,
        params,
        order=f"metrics.`{metrics[0]}`",
        search=f"tags.`{PARENT}` = '{run_id}'",
        ascending=direction == "minimize",
    )
    client.set_experiment_tag(experiment_id, _TAG + run_id, state)


def _metrics_of(state: str) -> list[str]:
    """Return the metrics that a view shows; none of a text that is no view."""
    try:
        columns = map(str, json.loads(state)["selectedColumns"])
    except (ValueError, LookupError, TypeError):
        return []  # there is none yet, or somebody else has written it
    return [name[9:-1] for name in columns if name.startswith("metrics.`")]


def _state(
    metrics: Sequence[str],
    params: Sequence[str],
    *,
    order: str,
    search: str = "",
    ascending: bool = False,
) -> str:
    columns = ["attributes.`Created`"]
    columns += [f"metrics.`{name}`" for name in metrics]
    columns += [f"params.`{name}`" for name in params]
    return json.dumps(
        {
            "searchFilter": search,
            "orderByKey": order,
            "orderByAsc": ascending,
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
