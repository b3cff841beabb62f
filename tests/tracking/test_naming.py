"""`tracking.run_name`, `tags` and `note` in real runs and sweeps, first given and given anew."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow.entities import Run

from experiments.config.tracking import RESERVED
from experiments.tracking.tag_names import NOTE, PARENT
from tests.conftest import TRAIN, forked
from tests.programs import provide_database
from tests.tracking.test_places import in_store

FIRST = ("tracking.run_name=base", "+tracking.tags.ticket=t1", "tracking.note='# One'")
SECOND = ("tracking.run_name=better", "+tracking.tags.ticket=t2", "tracking.note='# Two'")
MINE = "_target_: experiments.data.Digits\nroot: {}\nbatch_size: 32\nvalidation_size: 0\n"


def train(folder: Path, root: str, *overrides: str, **env: str) -> subprocess.CompletedProcess[str]:
    usual = (f"data.root={root}", "trainer.epochs=1", "optimizer.lr=0.05")
    done = forked(TRAIN, *overrides, *usual, cwd=folder, **env)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory, root: str) -> Iterator[Path]:
    """A project with one sweep over two data sets, in lanes where they share one."""
    folder = tmp_path_factory.mktemp("swept")
    provide_database(folder, ())
    (folder / "conf" / "data").mkdir(parents=True)
    (folder / "conf" / "data" / "mine.yaml").write_text(MINE.format(root))
    sweep(folder, root, *FIRST)
    return folder


def sweep(folder: Path, root: str, *overrides: str) -> subprocess.CompletedProcess[str]:
    own = f"hydra.searchpath=[file://{folder}/conf]"
    lanes = "hydra/launcher=vectorized"
    return train(folder, root, "-m", own, lanes, "data=digits,mine", "seed=0,1", *overrides)


def names(runs: list[Run]) -> set[str]:
    return {run.info.run_name for run in runs}


def test_a_run_has_its_name_tags_and_note_and_gets_others_without_training(
    tmp_path: Path, root: str
) -> None:
    provide_database(tmp_path, ())
    train(tmp_path, root, "data=digits", *FIRST[1:], MLFLOW_RUN_NAME="from-outside")
    (run,) = in_store(tmp_path / "mlflow.db")["digits"]
    assert (run.info.run_name, run.data.tags["ticket"]) == ("from-outside", "t1")
    assert run.data.tags[NOTE] == "# One"
    done = train(tmp_path, root, "data=digits", *SECOND)
    assert "Finished before" in done.stdout
    (again,) = in_store(tmp_path / "mlflow.db")["digits"]
    assert (again.info.run_name, again.data.tags["ticket"]) == ("better", "t2")
    assert (again.data.tags[NOTE], again.info.status) == ("# Two", "FINISHED")
    train(tmp_path, root, "data=digits")
    (same,) = in_store(tmp_path / "mlflow.db")["digits"]
    assert same.info.run_name == "better"


def test_jobs_keep_their_values_in_their_names_and_get_others_without_training(
    swept: Path, root: str
) -> None:
    assert names(in_store(swept / "mlflow.db")["digits"]) == {
        *("sweep: base", "base: digits s0", "base: digits s1")
    }
    done = sweep(swept, root, *SECOND)
    assert "4 finished, 0 to resume, 0 new" in done.stdout
    for name, runs in in_store(swept / "mlflow.db").items():
        assert names(runs) == {f"better: {name} s0", f"better: {name} s1", "sweep: better"}
        assert {run.data.tags["ticket"] for run in runs} == {"t2"}
        assert all(run.data.tags[NOTE].startswith("# Two") for run in runs)
        assert {run.info.status for run in runs} == {"FINISHED"}


def test_each_job_is_in_the_experiment_of_its_data_set_under_its_sweep(swept: Path) -> None:
    found = in_store(swept / "mlflow.db")
    assert set(found) == {"digits", "mine"}
    for name, runs in found.items():
        (parent,) = (run for run in runs if PARENT not in run.data.tags)
        jobs = [run for run in runs if run is not parent]
        assert {run.data.tags[PARENT] for run in jobs} == {parent.info.run_id}
        assert [run.data.params["data"] for run in jobs] == [name, name]
        assert "The best by test accuracy" in parent.data.tags[NOTE]


def test_every_tag_that_the_program_writes_is_reserved(swept: Path) -> None:
    written = {
        key
        for runs in in_store(swept / "mlflow.db").values()
        for run in runs
        for key in run.data.tags
    }
    assert {"identity", "lanes", "weights_sha256", "device"} < written
    assert [key for key in written - {"ticket"} if not RESERVED.fullmatch(key)] == []
