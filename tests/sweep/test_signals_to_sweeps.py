"""Signals to a sweep's own process and to its worker."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from experiments import journal
from tests.programs import children_of, wait_until
from tests.sweep.conftest import Sweep, training


def test_a_signal_to_all_processes_of_a_sweep_is_one(sweep: Sweep) -> None:
    """A scheduler sends it to the sweep and to its worker, and the sweep stops the worker too."""
    overrides = ("seed=0,1", "trainer.epochs=400", "tracking=none")
    for _ in range(3):
        process = sweep.start(*overrides, SLOW="0.01")
        wait_until(lambda: any(map(journal.is_open, training(sweep))))
        for pid in (process.pid, *children_of(process.pid)):
            os.kill(pid, signal.SIGTERM)
        process.communicate(timeout=60)
        assert process.returncode == 143
        (folder,) = sweep.folders
        assert journal.history(folder / "0").status == "KILLED"


def test_ctrl_c_twice_ends_a_sweep_at_once_and_its_job_is_saved(sweep: Sweep) -> None:
    process = sweep.start("seed=0,1", "trainer.epochs=400", "tracking=none", SLOW="0.5")
    wait_until(lambda: any(map(journal.is_open, training(sweep))))
    (folder,) = sweep.folders
    for _ in range(2):
        process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "")
    wait_until(lambda: journal.history(folder / "0").status == "KILLED")


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGINT,
        *(pytest.param(each, marks=pytest.mark.slow) for each in (signal.SIGTERM, signal.SIGHUP)),
    ],
)
def test_before_its_jobs_a_sweep_ends_at_once_and_creates_nothing(
    sweep: Sweep, number: signal.Signals
) -> None:
    process = sweep.start("seed=0,1", "tracking=none")
    wait_until(lambda: children_of(process.pid))  # the worker, which now imports torch
    worker = children_of(process.pid)
    process.send_signal(number)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (128 + number, "")
    assert output == f"{number.name}: stopped; no run was trained or created\n"
    assert not (sweep.folder / "outputs").exists()
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in worker))
