"""The model of a sweep's best run is in MLflow and, under the alias `best`, in its registry."""

from __future__ import annotations

from experiments.tracking.store import connect
from tests.programs import wait_until
from tests.sweep.conftest import Sweep


def test_the_best_run_s_model_is_registered_as_best(sweep: Sweep) -> None:
    wishes = ("tracking.log_model=true", "tracking.register=digits", "data.validation_size=200")
    done = sweep.run("optimizer.lr=0.0001,0.1", "seed=0,1", *wishes, model="SimpleNet")
    assert done.returncode == 0, done.stderr
    client = connect(f"sqlite:///{sweep.folder}/mlflow.db")
    (parent,) = client.search_runs(["1"], "tags.`sweep.plan` LIKE '%'")
    wait_until(lambda: client.search_model_versions("name = 'digits'"), seconds=180)
    (model,) = client.search_logged_models(["1"])
    assert model.source_run_id == parent.data.tags["sweep.best_run_id"]
    assert parent.data.tags["sweep.best_setting"] == "lr=0.1"
    wait_until(lambda: client.get_registered_model("digits").aliases, seconds=180)
    assert client.get_model_version_by_alias("digits", "best").run_id == model.source_run_id
