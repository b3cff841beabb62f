"""Each process of a launcher has its own GPUs, as long as there are enough."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from hydra import compose, initialize_config_dir

from experiments.composition.hydra_config import gpus_per_job, workers
from experiments.config import check
from experiments.errors import InputError
from experiments.sweep import gpus
from experiments.sweep.gpus import about_gpus, claim, slots, take_gpus
from experiments.sweep.launchers import LauncherFacts
from tests.config.test_config import VALUES
from tests.conftest import PROJECT
from tests.sweep.conftest import Sweep

VISIBLE = "CUDA_VISIBLE_DEVICES"
GPUS = ("0", "1", "2")
SEEING = """
import os, time
from pathlib import Path
from experiments.models import SimpleNet

class Seeing(SimpleNet):
    def train(self, mode=True):
        gpus = os.environ["CUDA_VISIBLE_DEVICES"]
        if gpus != "7,8,9":  # those of the trial before the first job
            folder = Path(os.environ["SEEN"])
            (folder / gpus).touch()
            end = time.monotonic() + 60  # then the comparison fails
            while len(list(folder.iterdir())) < 2 and time.monotonic() < end:
                time.sleep(0.01)  # so that both processes have a job
        return super().train(mode)
"""


def let_go(claimed: tuple[tuple[str, ...], list[FileLock]]) -> None:
    for place in claimed[1]:
        place.release()


def test_processes_get_distinct_gpus_and_freed_ones_are_taken_again(tmp_path: Path) -> None:
    held = [claim(slots(GPUS, 1), tmp_path) for _ in GPUS]
    assert [slot for slot, _ in held] == [("0",), ("1",), ("2",)]
    let_go(held[1])
    assert claim(slots(GPUS, 1), tmp_path)[0] == ("1",)


def test_more_processes_than_gpus_share_them_evenly(tmp_path: Path) -> None:
    held = [claim(slots(GPUS, 1), tmp_path) for _ in range(8)]
    assert sorted(Counter(slot for slot, _ in held).values()) == [2, 3, 3]
    let_go(held[5])  # the third slot has one process now, and the others have three
    assert claim(slots(GPUS, 1), tmp_path)[0] == ("2",)


def test_slots_of_different_sizes_exclude_each_other(tmp_path: Path) -> None:
    gpus = (*GPUS, "3")
    first = claim(slots(gpus, 1), tmp_path)
    pair = claim(slots(gpus, 2), tmp_path)
    assert (first[0], pair[0]) == (("0",), ("2", "3"))
    second = claim(slots(gpus, 2), tmp_path)  # GPU 0 is shared now
    assert second[0] == ("0", "1")
    let_go(first)
    let_go(pair)
    third = claim(slots(gpus, 1), tmp_path)  # GPUs 0 and 1 have a process still
    assert third[0] == ("2",)
    assert claim(slots(gpus, 3), tmp_path)[0] == ("0", "1", "2")


def test_a_job_may_have_several() -> None:
    assert slots(("4", "5", "6", "GPU-7", "8"), 2) == [("4", "5"), ("6", "GPU-7")]


@pytest.mark.parametrize(
    ("device", "count", "visible"),
    [
        ("auto", None, "4"),
        ("cuda", 2, "4,5"),
        ("auto", 3, "4,5,6"),
        ("cuda:1", None, "4,5,6"),  # the user's own choice
        ("cpu", None, "4,5,6"),
    ],
)
def test_a_worker_sees_the_gpus_of_its_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, count: int, visible: str
) -> None:
    monkeypatch.setattr("experiments.sweep.gpus._folder", lambda: tmp_path)
    monkeypatch.setattr("experiments.sweep.gpus._held", [])
    monkeypatch.setenv(VISIBLE, "4,5,6")
    take_gpus(device, count)
    take_gpus(device, count)  # for the next job; it has its own already
    assert os.environ[VISIBLE] == visible


def test_the_default_number_of_processes_leaves_each_its_gpus(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)
    monkeypatch.setenv(VISIBLE, "0,1,2,3")
    assert [workers(2), workers(2, "cpu"), workers(2, "cuda"), workers(8, "auto")] == [8, 8, 4, 2]
    assert [workers(1, "auto", 2), workers(1, "auto", 8)] == [2, 1]
    assert [workers("two"), workers(0), workers(1, "auto", "two")] == [16, 16, 4]  # refused later
    assert [gpus_per_job("auto", None), gpus_per_job("cuda", 2), gpus_per_job("cpu", 2)] == [
        1,
        2,
        0,
    ]
    monkeypatch.setenv(VISIBLE, "")
    assert (workers(2, "auto"), gpus_per_job("auto", None)) == (8, 0)


def test_sharing_is_said_and_more_gpus_than_there_are_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(VISIBLE, "0,1")
    monkeypatch.setattr(gpus, "refuse_unseen", lambda: None)
    monkeypatch.setattr(gpus, "torch_uses_gpus", lambda: True)
    config = check(VALUES)

    def said(**facts: object) -> list[str]:
        return list(about_gpus([config], LauncherFacts(**facts)))

    assert said(processes=3) == ["  3 processes share 2 GPUs in turn; 2 at once have their own"]
    assert said(processes=2) == said(processes=3, remote=True) == said(in_this_process=True) == []
    config = check({**VALUES, "sweep": {**VALUES["sweep"], "gpus_per_job": 4}})
    with pytest.raises(
        InputError, match=r"^sweep\.gpus_per_job=4: has no effect with this .*null$"
    ):
        said(in_this_process=True)
    with pytest.raises(
        InputError, match=r"^sweep\.gpus_per_job=4: .* has 2 GPUs .*choose at most 2, "
    ):
        said(processes=1)
    monkeypatch.setenv(VISIBLE, "")
    with pytest.raises(InputError, match=r"=4: this machine has no GPUs .*; choose null, or "):
        said(processes=1)


def test_a_torch_without_gpus_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VISIBLE, "0,1")
    monkeypatch.setattr(gpus, "refuse_unseen", lambda: None)
    monkeypatch.setattr(gpus, "torch_uses_gpus", lambda: False)
    here = "this machine has 2 GPUs, and the installed torch is built for none"
    facts = LauncherFacts(processes=2)
    assert list(gpus.about_gpus([check(VALUES)], facts)) == [f"  {here}: the jobs train on the CPU"]
    config = check({**VALUES, "sweep": {**VALUES["sweep"], "gpus_per_job": 1}})
    with pytest.raises(InputError, match=f"^sweep.gpus_per_job=1: {here}; install a torch with"):
        list(gpus.about_gpus([config], facts))


def test_more_gpus_than_there_are_are_refused_before_the_plan_is_printed(
    tmp_path: Path, root: str
) -> None:
    sweep = Sweep(tmp_path, root, ("processes",))
    done = sweep.run("seed=0,1", "tracking=none", "sweep.gpus_per_job=7", **{VISIBLE: "0,1"})
    assert (done.returncode, done.stdout, sweep.folders) == (2, "", [])
    (line,) = done.stderr.splitlines()
    assert "sweep.gpus_per_job=7: this machine has 2 GPUs" in line


@pytest.mark.parametrize(
    ("overrides", "ray", "slurm"),
    [
        ([], 1, None),
        (["sweep.gpus_per_job=2"], 2, 2),
        (["trainer.device=cpu"], 0, None),
        (["trainer.device=cpu", "sweep.gpus_per_job=2"], 0, None),
        (["trainer.device=cuda:0", "sweep.gpus_per_job=2"], 2, 2),
    ],
)
def test_ray_and_slurm_are_asked_for_the_gpus_of_a_job(
    monkeypatch: pytest.MonkeyPatch, overrides: list[str], ray: int, slurm: int | None
) -> None:
    monkeypatch.setenv(VISIBLE, "0,1")
    found = {}
    for name in ("ray_cluster", "slurm"):
        with initialize_config_dir(str(PROJECT / "conf"), version_base="1.3"):
            chosen = [f"hydra/launcher={name}", *overrides]
            found[name] = compose("config", chosen, return_hydra_config=True).hydra.launcher
    assert found["ray_cluster"].ray.remote.num_gpus == ray
    assert found["slurm"].gpus_per_node == slurm


def test_the_gpus_of_a_cluster_elsewhere_are_not_those_of_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(VISIBLE, "0,1")
    given = ["hydra/launcher=ray_cluster", "hydra.launcher.ray.init.address=auto"]
    for more, count in ([], 0), (["sweep.gpus_per_job=2"], 2):
        with initialize_config_dir(str(PROJECT / "conf"), version_base="1.3"):
            launcher = compose("config", [*given, *more], return_hydra_config=True).hydra.launcher
        assert launcher.ray.remote.num_gpus == count


@pytest.mark.slow  # a real sweep on two processes; the division itself is tested above
def test_the_workers_of_joblib_see_other_gpus(tmp_path: Path, root: str) -> None:
    if torch.cuda.is_available():
        pytest.skip("CUDA does not know the GPUs that this test names")
    sweep = Sweep(tmp_path, root, ("processes", "hydra.launcher.n_jobs=2"))
    (tmp_path / "seeing.py").write_text(SEEING)
    seen = tmp_path / "seen"
    seen.mkdir()
    told = {VISIBLE: "7,8,9", "SEEN": str(seen), "TMPDIR": str(tmp_path)}
    jobs = ("seed=0,1", "tracking=none", "trainer.limit_batches=2")
    done = sweep.run(*jobs, "model._target_=seeing.Seeing", model="Slow", **told)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {path.name for path in seen.iterdir()} == {"7", "8"}
