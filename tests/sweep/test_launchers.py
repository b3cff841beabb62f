"""Properties of sweeps on every launcher; `make test-launchers` adds Ray and submitit."""

from __future__ import annotations

import os
import signal
import statistics
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from experiments import journal
from tests.programs import holding, release, wait_until
from tests.sweep.conftest import LAUNCHERS, Sweep, runs, training


def family(folder: Path) -> tuple[Run, list[Run]]:
    """Return the only parent run and its children."""
    by_parent: dict[str | None, list[Run]] = {}
    for run in runs(folder):
        by_parent.setdefault(run.data.tags.get("mlflow.parentRunId"), []).append(run)
    (parent,) = by_parent.pop(None)
    return parent, by_parent[parent.info.run_id]


def processes_in(folder: Path) -> list[str]:
    """Return the living processes that work in a folder."""
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
@pytest.mark.row("output directories")
@pytest.mark.parametrize(
    "anywhere",
    [
        pytest.param(*LAUNCHERS[0].values, id=LAUNCHERS[0].id, marks=pytest.mark.slow),
        *LAUNCHERS[1:],
    ],
    indirect=True,
)
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
        fate = job["model.fate"]
        assert reasons[fate] in job["reason"]
    assert len({job["folder"] for job in jobs}) == 10
    # Both seeds of a fate fail alike: an entry names the first log and command, and both are right.
    told = done.stdout[done.stdout.index("8 of 10 jobs") :].splitlines()
    logs = [line.split("log:")[1].strip() for line in told if "    log:" in line]
    repeats = [line.split("repeat:")[1].strip() for line in told if "    repeat:" in line]
    assert len(logs) == len(repeats) == 4
    assert "in the middle of training" in (anywhere.folder / logs[0]).read_text()
    assert all("model.fate=" in command and "seed=" in command for command in repeats)


@pytest.mark.row("run stuck RUNNING")
@pytest.mark.parametrize(
    "anywhere",
    [
        LAUNCHERS[0],
        *(
            pytest.param(*each.values, id=each.id, marks=[*each.marks, pytest.mark.slow])
            for each in LAUNCHERS[1:]
        ),
    ],
    indirect=True,
)
def test_killed_whole_and_repeated_it_is_the_same_sweep(anywhere: Sweep) -> None:
    overrides = ("seed=range(6)", "trainer.epochs=3", "model.inputs=784")
    process = anywhere.start(*overrides, model="Slow", SLOW="0.02")
    wait_until(lambda: _ended(anywhere) >= 2)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    (folder,) = anywhere.folders
    wait_until(lambda: not [p for p in processes_in(anywhere.folder) if "experiments.worker" in p])
    before = [path for path in folder.glob("*/journal.jsonl") if _status(path.parent) == "FINISHED"]
    times = [path.stat().st_mtime_ns for path in before]

    done = anywhere.run(*overrides, model="Slow")
    assert done.returncode == 0, done.stdout + done.stderr
    assert anywhere.folders == [folder]  # the same sweep, with each job in its old folder
    assert sorted(path.name for path in folder.iterdir() if path.name.isdecimal()) == list("012345")
    assert [path.stat().st_mtime_ns for path in before] == times  # finished jobs are left alone
    parent, children = family(anywhere.folder)
    assert {run.info.status for run in [parent, *children]} == {"FINISHED"}
    assert sorted(run.data.params["seed"] for run in children) == list("012345")
    client = MlflowClient(f"sqlite:///{anywhere.folder / 'mlflow.db'}")
    for run in children:
        history = client.get_metric_history(run.info.run_id, "train_loss")
        assert [point.step for point in history] == [1, 2, 3]
    accuracies = [run.data.metrics["test_accuracy"] for run in children]
    assert parent.data.metrics["best_mean"] == pytest.approx(statistics.fmean(accuracies))
    assert parent.data.metrics["best_std"] == pytest.approx(statistics.stdev(accuracies))
    assert parent.data.metrics["jobs_finished"] == parent.data.metrics["best_n"] == 6
    tags = parent.data.tags
    (first,) = [run for run in children if run.data.params["seed"] == "0"]
    assert tags["sweep.best_run_id"] == first.info.run_id  # test images do not choose a seed
    assert "The best by test accuracy" in tags["mlflow.note.content"]
    assert tags["sweep.plan"].startswith("6 jobs: ")
    assert "'seed=range(6)'" in tags["sweep.command"]
    assert parent.data.params["seed"] == "range(6)"
    wait_until(lambda: not processes_in(anywhere.folder))


def _ended(sweep: Sweep) -> int:
    found = [path.parent for folder in sweep.folders for path in folder.glob("*/journal.jsonl")]
    return sum(_status(folder) == "FINISHED" for folder in found)


def _status(folder: Path) -> str | None:
    return journal.history(folder).status


@pytest.mark.parametrize("anywhere", LAUNCHERS[2:], indirect=True)
@pytest.mark.slow
def test_a_launcher_s_process_may_be_killed(anywhere: Sweep) -> None:
    held = holding(anywhere.folder)
    process = anywhere.start("seed=range(4)", "tracking=none", model="Slow", **held)
    wait_until(lambda: training(anywhere))
    names = ("joblib.externals.loky.backend.popen", "ray::_run_job", "submitit.core._submit")
    found = [text.split() for text in processes_in(anywhere.folder)]
    mine = [words[0] for words in found if any(word.startswith(names) for word in words)]
    os.kill(int(mine[0]), signal.SIGKILL)
    release(anywhere.folder)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, output + errors
    assert [job["state"] for job in anywhere.jobs()] == ["finished"] * 4


@pytest.mark.launchers
@pytest.mark.row("preemption")
def test_a_preempted_job_is_queued_again_and_continues(tmp_path: Path, root: str) -> None:
    sweep = Sweep(tmp_path, root, ("submitit_local",))
    held = holding(sweep.folder, after=50)
    process = sweep.start("seed=0", "trainer.epochs=5", model="Slow", **held)
    wait_until(lambda: any(path.glob("checkpoints/*") for path in training(sweep)))
    (folder,) = training(sweep)
    wait_until(lambda: journal.history(folder).metrics)
    (found,) = [p for p in processes_in(sweep.folder) if "submitit.core._submit" in p]
    os.kill(int(found.split()[0]), signal.SIGUSR2)  # the signal that Slurm sends
    release(sweep.folder)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, output + errors
    assert "Resuming at epoch" in (folder / "train.log").read_text()
    assert training(sweep) == [folder]
    points = [key for key in journal.history(folder).points if key[0] == "train_loss"]
    assert points == [("train_loss", epoch) for epoch in range(1, 6)]
    parent, (child,) = family(sweep.folder)
    assert {run.info.status for run in (parent, child)} == {"FINISHED"}
