"""Links to the pages of the MLflow UI."""

from __future__ import annotations

from pathlib import Path

from experiments.tracking.copies import Copies
from experiments.tracking.destinations import Copy
from experiments.tracking.shared_views import ALL
from experiments.tracking.store import address, has_server, usual_uri

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
    """Return the address of the UI for a store, without a login; None if nobody knows it.

    A database has no server until `experiments ui` starts one on this machine.
    """
    if has_server(uri):
        return address(uri)
    return None if uri.startswith("databricks") else f"http://127.0.0.1:{port}"


def links_for_run(folder: Path) -> list[str]:
    """Return the line that leads from a run to the comparison of all runs, if there is a UI."""
    found = _recorded(folder)
    if found is None:
        return []
    copy, served = found
    return [_compare(copy, link_to_view(served, str(copy.experiment_id), ALL))]


def links_for_sweep(folder: Path) -> list[str]:
    """Return the lines that lead from a sweep to its jobs and its verdict, if there is a UI."""
    found = _recorded(folder)
    if found is None:
        return []
    copy, served = found
    jobs = link_to_view(served, str(copy.experiment_id), str(copy.run_id))
    page = f"{served}/#/experiments/{copy.experiment_id}/runs/{copy.run_id}?{_KIND}"
    return [_compare(copy, jobs), f"Verdict: {page}"]


def _recorded(folder: Path) -> tuple[Copy, str] | None:
    """Return the copy of a folder's run that was asked for last, and the UI that shows it."""
    copy = Copies(folder).last
    if copy is None or copy.run_id is None or copy.experiment_id is None:
        return None
    served = address_of_ui(copy.destination.store)
    return None if served is None else (copy, served)


def _compare(copy: Copy, link: str) -> str:
    store = copy.destination.store
    if has_server(store):
        return f"Compare: {link}"
    place = "" if address(usual_uri()) == store else f" --uri {store}"
    return f"Compare: {link} (served by `experiments ui{place}`)"
