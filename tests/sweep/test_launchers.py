"""What holds on every launcher; Ray and submitit are tried by `make test-launchers`."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from experiments import journal
from experiments.claims import look_up
from tests.programs import wait_until
from tests.sweep.conftest import LAUNCHERS, Sweep, training


def runs(folder: Path) -> list[Run]:
    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    return list(client.search_runs([e.experiment_id for e in client.search_experiments()]))


def processes_in(folder: Path) -> list[str]:
    """Return the processes that work in a folder, but for those that are dead."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdecimal() and (entry / "cwd").readlink() == folder:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                if command:
                    found.append(f"{entry.name} {command[:200]}")
        except OSError:
            continue
    return found


@pytest.mark.row("failing job in a sweep")
def test_a_job_that_fails_takes_no_other_along(anywhere: Sweep) -> None:
    fates = ("raise", "exit", "kill", "memory")
    done = anywhere.run(f"model.fate={','.join(fates)},fine", "seed=0,1", "tracking=none")
    assert done.returncode == 1, done.stderr
    assert "8 of 10 jobs have not finished" in done.stderr.splitlines()[-1]
    jobs = anywhere.jobs()
    assert [job["state"] for job in jobs] == ["failed"] * 8 + ["finished"] * 2
    reasons = {
        "raise": "ArithmeticError: in the middle of training",
        "exit": "called sys.exit(0)",
        "kill": "killed by SIGKILL; perhaps the machine ran out of memory",
        "memory": "can't allocate memory",
    }
    for job in jobs[:8]:
        fate = job["overrides"].split("=")[1].split()[0]
        assert reasons[fate] in job["reason"]
    # The table names the log and the command, and both are what they say.
    told = done.stdout[done.stdout.index("8 of 10 jobs") :].splitlines()
    logs = [line.split("log:")[1].strip() for line in told if "    log:" in line]
    repeats = [line.split("repeat:")[1].strip() for line in told if "    repeat:" in line]
    assert len(logs) == len(repeats) == 8
    assert "in the middle of training" in (anywhere.folder / logs[0]).read_text()
    assert all("model.fate=" in command and "seed=" in command for command in repeats)


def test_parent_and_children_in_mlflow(anywhere: Sweep) -> None:
    done = anywhere.run("optimizer.lr=0.01,0.05", "seed=0,1")
    assert done.returncode == 0, done.stderr
    by_parent: dict[str | None, list[Run]] = {}
    for run in runs(anywhere.folder):
        by_parent.setdefault(run.data.tags.get("mlflow.parentRunId"), []).append(run)
    (parent,) = by_parent.pop(None)
    (children,) = by_parent.values()
    assert list(by_parent) == [parent.info.run_id]
    assert {run.info.status for run in [parent, *children]} == {"FINISHED"}
    assert len(children) == 4
    best = max(children, key=lambda run: run.data.metrics["test_accuracy"])
    tags = parent.data.tags
    assert float(tags["sweep.best_objective"]) == best.data.metrics["test_accuracy"]
    assert tags["sweep.best_run_id"] in {run.info.run_id for run in children}
    assert tags["sweep.plan"].startswith("4 jobs: 0 finished, 0 to continue, 4 new")
    assert "optimizer.lr=0.01,0.05" in tags["sweep.command"]
    assert parent.data.params["optimizer.lr"] == "0.01,0.05"
    assert {(run.data.params["optimizer.lr"], run.data.params["seed"]) for run in children} == {
        (lr, seed) for lr in ("0.01", "0.05") for seed in ("0", "1")
    }


@pytest.mark.row("stuck RUNNING")
def test_killed_whole_and_repeated_it_is_the_same_sweep(anywhere: Sweep) -> None:
    overrides = ("seed=range(6)", "trainer.epochs=3", "model.inputs=784")
    process = anywhere.start(*overrides, model="Slow", SLOW="0.02")
    wait_until(lambda: _ended(anywhere) >= 2)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    (folder,) = anywhere.folders
    wait_until(lambda: not [p for p in processes_in(anywhere.folder) if "sweep.worker" in p])
    before = [path for path in folder.glob("*/journal.jsonl") if _status(path.parent) == "FINISHED"]
    times = [path.stat().st_mtime_ns for path in before]

    done = anywhere.run(*overrides, model="Slow")
    assert done.returncode == 0, done.stdout + done.stderr
    assert anywhere.folders == [folder]  # the same sweep, each job in its own place
    assert sorted(path.name for path in folder.iterdir() if path.name.isdecimal()) == list("012345")
    assert [path.stat().st_mtime_ns for path in before] == times  # finished jobs were left alone
    told = runs(anywhere.folder)
    assert {run.info.status for run in told} == {"FINISHED"}
    assert len(told) == 7
    for run in told:
        if "mlflow.parentRunId" in run.data.tags:
            client = MlflowClient(f"sqlite:///{anywhere.folder / 'mlflow.db'}")
            history = client.get_metric_history(run.info.run_id, "train_loss")
            assert [point.step for point in history] == [1, 2, 3]
    wait_until(lambda: not processes_in(anywhere.folder))


def _ended(sweep: Sweep) -> int:
    found = [path.parent for folder in sweep.folders for path in folder.glob("*/journal.jsonl")]
    return sum(_status(folder) == "FINISHED" for folder in found)


def _status(folder: Path) -> str | None:
    return journal.history(folder).status


@pytest.mark.row("output directories")
def test_each_job_has_a_folder_of_its_own(anywhere: Sweep) -> None:
    done = anywhere.run("seed=range(12)", "trainer.limit_batches=1", "tracking=none")
    assert done.returncode == 0, done.stderr
    (folder,) = anywhere.folders
    places = sorted(folder.glob("*/journal.jsonl"))
    assert len(places) == 12
    identities = {journal.history(place.parent).start["identity"] for place in places}
    assert len(identities) == 12
    for identity in identities:
        found = look_up(anywhere.folder / "outputs", identity, folder)
        assert found is not None
        assert found.state == "finished"


@pytest.mark.parametrize("anywhere", LAUNCHERS[1:], indirect=True)
def test_a_launcher_s_process_may_be_killed(anywhere: Sweep) -> None:
    process = anywhere.start("seed=range(4)", "tracking=none", model="Slow", SLOW="0.05")
    wait_until(lambda: training(anywhere))
    names = ("joblib.externals.loky.backend.popen", "ray::", "submitit.core._submit")
    found = [p for p in processes_in(anywhere.folder) if any(name in p for name in names)]
    os.kill(int(found[0].split()[0]), signal.SIGKILL)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, output + errors
    assert [job["state"] for job in anywhere.jobs()] == ["finished"] * 4


@pytest.mark.launchers
@pytest.mark.row("preemption")
def test_a_preempted_job_is_queued_again_and_continues(tmp_path: Path, root: str) -> None:
    sweep = Sweep(tmp_path, root, ("submitit_local", "hydra.launcher.max_num_timeout=3"))
    process = sweep.start("seed=0", "trainer.epochs=5", model="Slow", SLOW="0.05")
    wait_until(lambda: any(path.glob("checkpoints/*") for path in training(sweep)))
    (folder,) = training(sweep)
    wait_until(lambda: journal.history(folder).metrics)
    (found,) = [p for p in processes_in(sweep.folder) if "submitit.core._submit" in p]
    os.kill(int(found.split()[0]), signal.SIGUSR2)  # what Slurm sends
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, output + errors
    assert "Continuing with epoch" in (folder / "train.log").read_text()
    assert training(sweep) == [folder]
    points = [key for key in journal.history(folder).points if key[0] == "train_loss"]
    assert points == [("train_loss", epoch) for epoch in range(1, 6)]
    told = runs(sweep.folder)
    assert len(told) == 2
    assert {run.info.status for run in told} == {"FINISHED"}
