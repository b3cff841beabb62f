"""The environment that MLflow reads in the process of a run."""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping

ADDRESS = "experiments://run"
"""the tracking address at which MLflow finds `experiments.mlflow_plugin`"""

_INSIDE = {
    "MLFLOW_TRACKING_URI": ADDRESS,
    "MLFLOW_RUN_ID": None,
    "MLFLOW_EXPERIMENT_ID": None,
    "MLFLOW_EXPERIMENT_NAME": None,
}
_DEFAULTS = {"MLFLOW_DISABLE_TELEMETRY": "true"}  # unless the user sets it
_outside: dict[str, str | None] = {}


def enter() -> None:
    """Direct MLflow to the run; `leave` undoes it.

    It may be called again: Hydra restores the whole environment after each job of a stack.
    """
    if os.environ.get("MLFLOW_TRACKING_URI") != ADDRESS:
        _outside.update({name: os.environ.get(name) for name in _INSIDE | _DEFAULTS})
    _put(os.environ, _INSIDE | {name: os.environ.get(name, _DEFAULTS[name]) for name in _DEFAULTS})


def leave() -> None:
    """Restore the environment from before `enter`."""
    _put(os.environ, _outside)
    _outside.clear()


def for_other_processes() -> dict[str, str]:
    """Return the environment for a process of ours, which has nothing to do with the run."""
    # Another thread may remove a variable meanwhile, as Hydra does at the end of each job.
    found = {name: os.environ.get(name) for name in list(os.environ)}
    environment = {name: value for name, value in found.items() if value is not None}
    _put(environment, _outside)
    return environment


def _put(environment: MutableMapping[str, str], values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            environment.pop(name, None)
        else:
            environment[name] = value
