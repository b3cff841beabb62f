"""A run as plain data: nested for JSON, flat for a table."""

from __future__ import annotations

import datetime
import os
from typing import Any

from experiments.catalog.filters import plain
from experiments.catalog.summary import Summary

FACTS = [
    *("id", "name", "state", "experiment", "begun", "seconds", "folder", "sweep", "mlflow_id"),
    *("objective", "objective_direction", "objective_value"),
]
"""the columns that every run has"""


def as_data(run: Summary) -> dict[str, Any]:
    """Return a run or a sweep as nested plain data."""
    return {
        "id": run.id,
        "name": run.name,
        "state": run.state,
        "experiment": run.experiment,
        "begun": _moment(run.begun).isoformat(timespec="seconds"),
        "seconds": run.seconds,
        "folder": os.path.relpath(run.folder),
        "sweep": run.sweeps[-1] if run.sweeps else None,
        "mlflow_id": run.mlflow_id,
        **run.ranked_by.tags,
        "objective_value": run.objective,
        "identity": run.identity,
        "host": run.host,
        "params": {key: plain(text) for key, text in run.params.items()},
        "metrics": dict(run.metrics),
        "tags": dict(run.tags),
    }


def as_row(run: Summary) -> dict[str, Any]:
    """Return a run as flat data: facts, then parameters by their keys, then the last metrics."""
    told = as_data(run) | {"begun": _moment(run.begun)}
    return {**{key: told[key] for key in FACTS}, **told["params"], **told["metrics"]}


def _moment(milliseconds: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(milliseconds / 1000, tz=datetime.UTC).astimezone()
