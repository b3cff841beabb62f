"""System metrics: the load of the machine is recorded in MLflow while a run is trained."""

from __future__ import annotations

from pathlib import Path

from mlflow import MlflowClient

from experiments import journal
from tests.conftest import Program, run_folder


def test_the_load_of_the_machine_is_recorded_in_mlflow_only(
    offline: Program, tmp_path: Path
) -> None:
    done = offline("tracking=mlflow", "tracking.system_metrics=true", "trainer.epochs=250")
    assert done.returncode == 0, done.stderr
    (run,) = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db").search_runs(["1"])
    load = {key for key in run.data.metrics if key.startswith("system/")}
    assert {"system/cpu_utilization_percentage", "system/disk_usage_percentage"} <= load
    kept = journal.history(run_folder(tmp_path)).metrics
    assert not load & kept.keys()
    assert kept.keys() == run.data.metrics.keys() - load
