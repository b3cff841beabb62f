"""Lookups in the store: the run with an identity, and runs that died unnoticed."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from experiments.errors import InputError
from experiments.registry.earlier import MEASURES, RANK, WARNING, State
from experiments.registry.objective import Objective
from experiments.tracking.delivery import Delivery
from experiments.tracking.lease import folder_of, is_alive
from experiments.tracking.permissions import DENIED
from experiments.tracking.tag_names import HEARTBEAT, PID

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

_PAGE = 1000


def find(client: MlflowClient, identity: str) -> dict[str, Any] | None:
    """Return the store's run with an identity as plain data; None if there is none.

    Of several runs a finished one comes before one alive, and this before a dead one.

    Raises:
        ValueError: the text is no identity.
        MlflowException: the store does not answer.
    """
    if not re.fullmatch(r"[0-9a-f]{64}", identity):
        raise ValueError(f"{identity} is no identity")
    runs = client.search_runs(
        _experiments(client),
        f"tags.identity = '{identity}'",
        order_by=["attributes.start_time DESC"],
        max_results=_PAGE,
    )
    described = [_described(run) for run in runs]
    return min(described, key=lambda run: RANK[run["state"]], default=None)


def mark_dead(client: MlflowClient) -> None:
    """Mark runs as KILLED if the store has them as RUNNING and their process is gone.

    Runs to which the user may not write are left to their owners.

    Raises:
        MlflowException: the store does not answer.
    """
    from mlflow.exceptions import MlflowException

    running = client.search_runs(
        _experiments(client), "attributes.status = 'RUNNING'", max_results=_PAGE
    )
    for run in running:
        if HEARTBEAT not in run.data.tags or is_alive(run):
            continue  # not from this framework, or alive
        try:
            _mark_dead(client, run)
        except MlflowException as error:
            if error.error_code != DENIED:
                raise


def _mark_dead(client: MlflowClient, run: Run) -> None:
    folder = folder_of(run)
    try:
        if folder is None:
            raise FileNotFoundError
        Delivery(folder, client.tracking_uri).deliver(client, abandoned=True)
    except (InputError, OSError):
        # Its folder is elsewhere, is another user's, or has the store under another address.
        # `experiments sync` delivers the rest of its journal.
        client.set_terminated(run.info.run_id, "KILLED")


def _experiments(client: MlflowClient) -> list[str]:
    return [experiment.experiment_id for experiment in client.search_experiments(max_results=_PAGE)]


def _described(run: Run) -> dict[str, Any]:
    tags = run.data.tags
    state: State = "alive" if is_alive(run) else "dead"
    if run.info.status == "FINISHED":
        state = "finished"
    folder = folder_of(run)
    return {
        "state": state,
        "run_id": run.info.run_id,
        "folder": str(folder) if folder else None,
        "host": tags.get("host", ""),
        "pid": int(tags[PID]) if tags.get(PID, "").isdecimal() else 0,
        "metrics": {
            key: value for key, value in run.data.metrics.items() if not key.startswith("system/")
        },
        "diverged": "diverged" in tags,
        "warning": tags.get(WARNING, ""),
        "ranked_by": Objective.of_tags(tags).tags,
        "measures": json.loads(tags.get(MEASURES, "{}")),
    }
