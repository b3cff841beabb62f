"""A sweep's parent run in MLflow has all jobs under it, including jobs trained before."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.programs import provide_database
from tests.sweep.conftest import Sweep
from tests.tracking.test_places import in_store, sync


def families(database: Path, experiment: str = "digits") -> dict[str, Counter[str]]:
    """Return the seeds of the jobs under each sweep, by the sweep's name."""
    runs = in_store(database)[experiment]
    names = {run.info.run_id: run.info.run_name for run in runs}
    found: dict[str, Counter[str]] = {}
    for run in runs:
        above = run.data.tags.get("mlflow.parentRunId")
        if above:
            found.setdefault(names[above], Counter())[run.data.params["seed"]] += 1
    return found


def test_each_sweep_has_all_its_jobs_under_it_also_in_a_new_store(sweep: Sweep) -> None:
    usual = ("trainer.limit_batches=1",)
    for name in ("other", "third"):
        provide_database(sweep.folder, (), f"{name}.db")
    for seeds in ("seed=0,1", "seed=1,2"):
        done = sweep.run(seeds, *usual)
        assert done.returncode == 0, done.stdout + done.stderr
    found = families(sweep.folder / "mlflow.db")
    assert sorted(map(dict, found.values()), key=str) == [{"0": 1, "1": 1}, {"1": 1, "2": 1}]

    for _ in range(2):
        done = sweep.run("seed=1,2", *usual, MLFLOW_TRACKING_URI="sqlite:///other.db")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "2 finished" in done.stdout
        (only,) = families(sweep.folder / "other.db").values()
        assert only == {"1": 1, "2": 1}
    statuses = {run.info.status for run in in_store(sweep.folder / "other.db")["digits"]}
    assert statuses == {"FINISHED"}
    assert "had no need" in sync(sweep.folder).stdout

    (sweep.folder / "outputs").rename(sweep.folder / "moved")
    done = sync(sweep.folder, "moved", "--uri", "sqlite:///third.db")
    assert done.returncode == 0, done.stderr
    assert families(sweep.folder / "third.db") == found


@pytest.mark.slow
def test_a_run_trained_alone_is_under_the_sweep_that_reuses_it(sweep: Sweep) -> None:
    alone = [text for text in sweep.command("trainer.limit_batches=1", "seed=0") if text != "-m"]
    alone = [text for text in alone if not text.startswith("hydra/launcher")]
    done = subprocess.run(
        alone, cwd=sweep.folder, env=sweep.environment(), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for experiment in ("digits", "second"):
        place = f"tracking.experiment={experiment}"
        done = sweep.run("seed=0,1", "trainer.limit_batches=1", place)
        assert done.returncode == 0, done.stdout + done.stderr
        (only,) = families(sweep.folder / "mlflow.db", experiment).values()
        assert only == {"0": 1, "1": 1}
