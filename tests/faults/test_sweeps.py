"""Sweeps on each launcher, killed several times at random moments."""

from __future__ import annotations

import importlib.util
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient

from experiments import journal
from tests.programs import wait_until
from tests.sweep.conftest import LAUNCHERS, Sweep
from tests.sweep.test_launchers import family, processes_in

KILLS, JOBS, EPOCHS = 5, 6, 2
COMMANDS = {str(param.id): param.values[0] for param in LAUNCHERS[:4]}


@pytest.mark.faults
@pytest.mark.row("failing job in a sweep")
@pytest.mark.parametrize("launcher", COMMANDS)
def test_killed_at_random_moments_each_job_is_finished_once(
    launcher: str, tmp_path: Path, root: str, record_property: Callable[[str, object], None]
) -> None:
    if launcher == "ray" and importlib.util.find_spec("ray") is None:
        pytest.skip("the extra ray is not installed; `make test-launchers` installs it")
    sweep = Sweep(tmp_path, root, COMMANDS[launcher])
    overrides = (f"seed=range({JOBS})", f"trainer.epochs={EPOCHS}")
    moments = random.Random(launcher)
    killed, chosen = 0, []
    for _ in range(KILLS):
        process = sweep.start(*overrides, SLOW="0.03")
        chosen.append(moments.uniform(0.5, 9))
        time.sleep(chosen[-1])
        killed += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.communicate()
    done = sweep.run(*overrides, model="Slow")
    assert done.returncode == 0, done.stdout + done.stderr
    (folder,) = sweep.folders
    begun = [path.parent for path in folder.glob("*/journal.jsonl")]
    assert len(begun) == JOBS
    for job in begun:
        events, _ = journal.read(job)
        assert [event["status"] for event in events if event["event"] == "end"][-1] == "FINISHED"
        tests = [event for event in events if "test_loss" in event.get("metrics", {})]
        assert len(tests) == 1
    parent, children = family(tmp_path)
    assert len(children) == JOBS
    assert {run.info.status for run in [parent, *children]} == {"FINISHED"}
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    for run in children:
        points = client.get_metric_history(run.info.run_id, "train_loss")
        assert [point.step for point in points] == list(range(1, EPOCHS + 1))
    wait_until(lambda: not processes_in(tmp_path))
    seconds = ", ".join(f"{moment:.1f}" for moment in chosen)
    record_property(
        "figure",
        f"{launcher}: a sweep of {JOBS} jobs killed whole {killed} times (after {seconds} s), then "
        "repeated: each job finished once, 0 duplicates, no process left",
    )
