"""The permission to write to an experiment of a server."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from experiments.errors import InputError
from experiments.tracking.logins import whose
from experiments.tracking.shared_views import provide_view_of_all
from experiments.tracking.store import address, has_server

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment

DENIED = "PERMISSION_DENIED"
"""MLflow's error code for 403"""


def check_may_write(client: MlflowClient, uri: str, experiment: Experiment) -> None:
    """Check that the user may write to an experiment of a server, by writing its view of all runs.

    MLflow tells users nothing about their permissions. But it demands the same permission for this
    view, which every delivery provides, as for a run.

    Raises:
        InputError: the user may not write to it.
        MlflowException: the server fails.
    """
    if has_server(uri):
        with naming_the_experiment(uri, experiment.name):
            provide_view_of_all(client, experiment, None, again=True)


@contextlib.contextmanager
def naming_the_experiment(uri: str, experiment: str) -> Iterator[None]:
    """Turn a refusal of the server (403) into a line that names the experiment and the user.

    Raises:
        InputError: the server refuses a request inside.
    """
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if error.error_code != DENIED:
            raise
        raise InputError(
            f"tracking.experiment={experiment}: {whose(uri)} may not write to it (403); ask the "
            f"administrator of {address(uri)} for the permission EDIT, or name another experiment"
        ) from error
