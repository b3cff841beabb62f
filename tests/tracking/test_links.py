"""Links to the MLflow UI: for a database, a server, and none without a known address."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.tracking.links import address_of_ui, has_server, links_for_run, links_for_sweep


@pytest.mark.parametrize(
    ("uri", "served"),
    [
        ("sqlite:///mlflow.db", "http://127.0.0.1:5000"),
        ("postgresql://me:secret@host/db", "http://127.0.0.1:5000"),
        ("http://host:8080/", "http://host:8080"),
        ("https://me:secret@host/mlflow", "https://host/mlflow"),
        ("databricks://profile", None),
    ],
)
def test_the_ui_of_a_store(uri: str, served: str | None) -> None:
    assert address_of_ui(uri) == served
    assert has_server(uri) == uri.startswith("http")


def test_a_run_leads_to_the_comparison_and_a_sweep_to_its_jobs_and_verdict(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(made)
    (folder,) = (path.parent for path in made.glob("outputs/*/*/mlflow.json"))
    (compare,) = links_for_run(folder)
    page = "http://127.0.0.1:5000/#/experiments/1/runs"
    kind = "workflowType=machine_learning"
    by = "(served by `experiments ui`)"
    assert compare == f"Compare: {page}?{kind}&viewStateShareKey=runs {by}"
    jobs, verdict = links_for_sweep(folder)
    run_id = verdict.partition("/runs/")[2].partition("?")[0]
    assert jobs == f"Compare: {page}?{kind}&viewStateShareKey={run_id} {by}"
    assert verdict == f"Verdict: {page}/{run_id}?{kind}"
    monkeypatch.chdir("/")
    (elsewhere,) = links_for_run(folder)
    assert elsewhere.endswith(f"(served by `experiments ui --uri sqlite:///{made}/mlflow.db`)")


def test_a_run_without_mlflow_leads_nowhere(tmp_path: Path) -> None:
    assert links_for_run(tmp_path) == links_for_sweep(tmp_path) == []
