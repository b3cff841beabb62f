"""Links to the pages of the MLflow UI."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from experiments.tracking.copies import Copies
from experiments.tracking.shared_views import ALL
from experiments.tracking.store import address

PORT = 5000
"""the port at which `experiments ui` serves a database"""
_KIND = "workflowType=machine_learning"  # otherwise MLflow may open a page for language models


def link_to_view(served: str, experiment_id: str, key: str) -> str:
    """Return the address of a view in the UI.

    Args:
        served: the address of the UI, from `address_of_ui`.
        experiment_id: the experiment.
        key: `ALL`, or the MLflow run id of a sweep.
    """
    return f"{served}/#/experiments/{experiment_id}/runs?{_KIND}&viewStateShareKey={key}"


def address_of_ui(uri: str, port: int = PORT) -> str | None:
    """Return the address of the UI for a store, without a password; None if nobody knows it.

    A database has no server until `experiments ui` starts one on this machine.
    """
    if has_server(uri):
        return address(uri).rstrip("/")
    return None if uri.startswith("databricks") else f"http://127.0.0.1:{port}"


def has_server(uri: str) -> bool:
    """Return whether a store is reached through a server, which has a UI."""
    return urlsplit(uri).scheme in {"http", "https"}


def links_for_run(folder: Path) -> list[str]:
    """Return the line that leads from a run to the comparison of all runs, if there is a UI."""
    return [
        _compare(served, link_to_view(served, experiment_id, ALL))
        for served, experiment_id, _ in _recorded(folder)
    ]


def links_for_sweep(folder: Path) -> list[str]:
    """Return the lines that lead from a sweep to its jobs and its verdict, if there is a UI."""
    return [
        line
        for served, experiment_id, run_id in _recorded(folder)
        for line in (
            _compare(served, link_to_view(served, experiment_id, run_id)),
            f"Verdict: {served}/#/experiments/{experiment_id}/runs/{run_id}?{_KIND}",
        )
    ]


def _recorded(folder: Path) -> list[tuple[str, str, str]]:
    """Return the UI, the experiment and the MLflow run of a folder's run, if all are known."""
    copy = Copies(folder).last
    if copy is None or copy.run_id is None or copy.experiment_id is None:
        return []
    served = address_of_ui(copy.destination.store)
    return [] if served is None else [(served, copy.experiment_id, copy.run_id)]


def _compare(served: str, link: str) -> str:
    by = " (served by `experiments ui`)" if served == address_of_ui("") else ""
    return f"Compare: {link}{by}"
