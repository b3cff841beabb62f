"""MLflow has the right status for every end of a run."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from experiments.tracking.store import connect
from tests.programs import children_of, finish, start, wait_for_epoch, wait_until

ENDS = {
    "SIGTERM": ("Slow", signal.SIGTERM, "KILLED"),
    "SIGINT": ("Slow", signal.SIGINT, "KILLED"),
    "exception": ("Failing", None, "FAILED"),
    "sys.exit": ("Exiting", None, "FAILED"),
}


def runs(folder: Path) -> dict[str, str]:
    """Return the status of every run by its name."""
    client = connect(f"sqlite:///{folder}/mlflow.db")  # waits while a run creates the database
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    return {run.info.run_name: run.info.status for run in client.search_runs(experiments)}


def ended(folder: Path) -> list[str]:
    """Return the names of the runs that are not RUNNING."""
    return [name for name, status in runs(folder).items() if status != "RUNNING"]


@pytest.mark.faults
@pytest.mark.row("run stuck RUNNING")
def test_40_of_40_ends_have_the_right_status(tmp_path: Path, root: str, record_property) -> None:
    right = 0
    for seeds in ((0, 1), (2, 3), (4, 5), (6, 7), (8, 9)):  # 8 processes at a time
        begun: list[tuple[str, subprocess.Popen[str]]] = []
        for seed in seeds:
            for end, (model, _, _) in ENDS.items():
                overrides = (f"seed={seed}", "trainer.epochs=500")
                begun.append((end, start(tmp_path / f"{end}{seed}", root, model, *overrides)))
        for end, process in begun:
            number = ENDS[end][1]
            if number is not None:
                wait_for_epoch(process, 1)
                process.send_signal(number)
        for end, process in begun:
            process.communicate(timeout=120)
            assert process.returncode not in {0, None}, end
        for seed in seeds:
            for end, (_, _, status) in ENDS.items():
                folder = tmp_path / f"{end}{seed}"
                # An interrupted run waits a few seconds; its delivery process goes on after it.
                wait_until(lambda: ended(folder))  # noqa: B023
                right += runs(folder) == {ended(folder)[0]: status}
    record_property("figure", f"{right} of 40 ends have the right status")
    assert right == 40


@pytest.mark.faults
@pytest.mark.row("run stuck RUNNING")
def test_after_kill_9_of_all_the_next_command_marks_the_dead_and_no_other(
    tmp_path: Path, root: str, record_property
) -> None:
    """The delivery process is killed too, so that no process is left to mark the runs."""
    processes = {
        seed: start(tmp_path, root, "Slow", f"seed={seed}", "trainer.epochs=1000")
        for seed in range(3)
    }
    for process in processes.values():
        wait_for_epoch(process, 2)
    wait_until(lambda: set(runs(tmp_path).values()) == {"RUNNING"} and len(runs(tmp_path)) == 3)
    for seed in (0, 1):
        for pid in (*children_of(processes[seed].pid), processes[seed].pid):
            os.kill(pid, signal.SIGKILL)
        processes[seed].communicate()
    time.sleep(2)
    assert set(runs(tmp_path).values()) == {"RUNNING"}
    finish(start(tmp_path, root, "Slow", "seed=9", "trainer.epochs=1", SLOW="0"))
    seen = {name.split("seed=")[1].split()[0]: status for name, status in runs(tmp_path).items()}
    processes[2].kill()
    processes[2].communicate()
    assert seen == {"0": "KILLED", "1": "KILLED", "2": "RUNNING", "9": "FINISHED"}
    record_property("figure", "2 of 2 dead runs marked by the next command, the live one not")
