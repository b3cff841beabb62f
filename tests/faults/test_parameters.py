"""An artifact holds values that MLflow would cut or alter; diverged runs are not ranked."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
import yaml
from mlflow import MlflowClient

from experiments.config import check
from tests.conftest import Program, run_folder


@pytest.mark.slow
@pytest.mark.row("parameters")
def test_a_configuration_of_any_length_is_whole(
    offline: Program, tmp_path: Path, record_property
) -> None:
    (tmp_path / "long.py").write_text(
        "from experiments.models import SimpleNet\n\n"
        "class Long(SimpleNet):\n"
        "    def __init__(self, *, note, **sizes):\n"
        "        super().__init__(**sizes)\n"
    )
    note = "x" * 7000
    done = offline(
        *("tracking=mlflow", "model._target_=long.Long", f"+model.note={note}"),
        PYTHONPATH=str(tmp_path),
    )
    assert done.returncode == 0, done.stderr
    folder = run_folder(tmp_path)
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    (run,) = client.search_runs([e.experiment_id for e in client.search_experiments()])
    artifact = Path(client.download_artifacts(run.info.run_id, "config.yaml", str(tmp_path)))
    content = artifact.read_bytes()
    assert hashlib.sha256(content).digest() == hashlib.sha256(
        (folder / "config.yaml").read_bytes()
    ).digest()  # fmt: skip
    config = check(yaml.safe_load(content))
    assert config.model.arguments()["note"] == note
    assert yaml.safe_dump(config.public(), sort_keys=False).encode() == content
    record_property("figure", "a value of 7,000 characters is whole in the artifact, hash and all")


@pytest.mark.row("parameters")
def test_a_diverged_run_is_tagged_and_never_best(
    offline: Program, tmp_path: Path, record_property
) -> None:
    good = offline("tracking=mlflow")
    assert good.returncode == 0, good.stderr
    bad = offline("tracking=mlflow", "optimizer.lr=1e30", "trainer.epochs=5")
    assert bad.returncode == 0, bad.stderr
    assert "the loss or a weight is NaN or infinite" in bad.stdout
    assert "Epoch: 2" not in bad.stdout
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    experiments = [e.experiment_id for e in client.search_experiments()]
    (diverged,) = client.search_runs(experiments, "tags.diverged = 'true'")
    assert diverged.info.status == "FINISHED"
    assert "test_accuracy" not in diverged.data.metrics
    for order in ("metrics.test_accuracy DESC", "metrics.test_loss ASC", "metrics.train_loss ASC"):
        best, worst = client.search_runs(experiments, order_by=[order])
        assert worst.info.run_id == diverged.info.run_id, order
        assert re.search(best.info.run_id, good.stdout)
    again = offline("tracking=mlflow", "optimizer.lr=1e30", "trainer.epochs=5")
    assert "Finished before: it diverged" in again.stdout
    record_property("figure", "a run that diverged is tagged, and last in every order of metrics")
