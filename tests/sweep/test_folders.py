"""Every job of a sweep has its own folder inside the sweep's folder, for any Hydra setting."""

from __future__ import annotations

import pytest
from omegaconf import OmegaConf

from experiments.errors import InputError
from experiments.sweep.folders import check_apart, subdir_of
from tests.conftest import cases
from tests.sweep.conftest import Sweep, runs

ACCEPTED = {
    "number": (("hydra.sweep.subdir=${hydra.job.num}",), ["0", "1"]),
    "name": (("hydra.sweep.subdir=job_${hydra.job.num}/run",), ["job_0/run", "job_1/run"]),
    "value": (("hydra.sweep.subdir=seed_${seed}",), ["seed_7", "seed_8"]),
    "overrides": (
        (
            "hydra.sweep.subdir=${hydra.job.override_dirname}",
            "hydra.job.config.override_dirname.exclude_keys="
            "[data.root,data,trainer.epochs,trainer.threads,model._target_,tracking]",
        ),
        ["seed=7", "seed=8"],
    ),
    "log": (("hydra.job.name=job_${hydra.job.num}",), ["0", "1"]),
}


@pytest.mark.parametrize(("overrides", "places"), cases(ACCEPTED, usual=1))
def test_hydra_s_own_names_work(
    sweep: Sweep, overrides: tuple[str, ...], places: list[str]
) -> None:
    done = sweep.run("seed=7,8", "tracking=none", *overrides, model="SimpleNet")
    assert done.returncode == 0, done.stderr
    (folder,) = sweep.folders
    assert [job["folder"] for job in sweep.jobs()] == [
        str((folder / place).relative_to(sweep.folder)) for place in places
    ]
    for place in places:
        assert (folder / place / "weights.safetensors").exists()


def test_a_failed_job_s_log_is_named(sweep: Sweep) -> None:
    done = sweep.run("model.fate=raise", "tracking=none", "hydra.job.name=mine")
    (folder,) = sweep.folders
    log = f"{folder.relative_to(sweep.folder)}/0/mine.log"
    assert f"    log:    {log}\n" in done.stdout
    assert "in the middle of training" in (sweep.folder / log).read_text()


@pytest.mark.parametrize(
    ("subdir", "message"),
    [
        *((outside, "is no folder inside") for outside in ("../x", "a/../../b", "/x", "", ".")),
        *((own, "is the sweep's own") for own in (".jobs", ".x/0", "journal.jsonl", "jobs.csv/a")),
        ("x" * 256, "is too long"),
        (f"a/{'ü' * 200}", "is too long"),
    ],
)
def test_no_job_lies_elsewhere(subdir: str, message: str) -> None:
    config = OmegaConf.create({"hydra": {"sweep": {"subdir": subdir}}})
    with pytest.raises(InputError, match=message):
        subdir_of(config)


@pytest.mark.parametrize(
    ("places", "message"),
    [
        (("a", "b", "a"), "jobs 0 and 2 would share it"),
        (("a", "a/b"), "job 1 would lie in the folder of job 0"),
        (("a/b/c", "d", "a"), "job 0 would lie in the folder of job 2"),
    ],
)
def test_no_two_jobs_share_a_folder(places: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_apart(dict(enumerate(places)))


def test_a_mistake_of_all_jobs_is_said_once(sweep: Sweep) -> None:
    done = sweep.run("seed=0,1", "hydra.sweep.subdir=../..", "tracking=none")
    assert done.returncode == 2
    assert done.stderr.startswith("error: hydra.sweep.subdir=../..: is no folder inside")
    assert len(done.stderr.splitlines()) == 1
    assert not (sweep.folder / "outputs").exists()


@pytest.mark.slow
def test_a_sweep_leaves_another_s_folder_alone(sweep: Sweep) -> None:
    first = sweep.run("seed=0,1", "hydra.sweep.dir=s", model="SimpleNet")
    assert first.returncode == 0, first.stderr
    before = {path: path.read_bytes() for path in (sweep.folder / "s").iterdir() if path.is_file()}
    other = sweep.run("seed=2,3", "hydra.sweep.dir=s", model="SimpleNet")
    assert other.returncode == 2
    assert "hydra.sweep.dir=s: holds jobs.csv, journal.jsonl" in other.stderr
    assert {path: path.read_bytes() for path in before} == before
    assert len(runs(sweep.folder)) == 3
    again = sweep.run("seed=0,1", "hydra.sweep.dir=s", model="SimpleNet")
    assert again.returncode == 0, again.stderr
