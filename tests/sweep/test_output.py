"""A sweep with closed, full or lost standard streams ends and is recorded as usual."""

from __future__ import annotations

import pytest

from experiments import journal
from tests.process.test_streams import CLOSED, through_a_shell
from tests.programs import finish
from tests.sweep.conftest import Sweep, runs


@pytest.mark.parametrize(
    "how", ["nothing at all", pytest.param("a full disk", marks=pytest.mark.slow)]
)
def test_a_sweep_needs_no_stream(sweep: Sweep, how: str) -> None:
    command = sweep.command("seed=0,1", "tracking=none")
    done = through_a_shell(command, CLOSED[how], sweep.folder, **sweep.environment())
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert [job["state"] for job in sweep.jobs()] == ["finished", "finished"]


def test_a_sweep_goes_on_when_its_reader_is_gone(sweep: Sweep) -> None:
    process = sweep.start("seed=0,1", "tracking=none", model="SimpleNet")
    assert process.stdout is not None
    assert "2 jobs" in process.stdout.readline()
    process.stdout.close()
    assert process.wait(60) == 0
    assert process.stderr is not None
    with process.stderr as errors:
        assert errors.read() == ""
    assert [job["state"] for job in sweep.jobs()] == ["finished", "finished"]


@pytest.mark.parametrize(
    ("experiment", "environment"),
    [
        ("\u00fc \u2026", {"PYTHONIOENCODING": "ascii"}),
        pytest.param("\u00fc \u2026", {"LC_ALL": "C"}, marks=pytest.mark.slow),
        pytest.param(
            *("u", {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}),
            marks=pytest.mark.slow,
        ),
    ],
    ids=["ascii output", "C", "ascii throughout"],
)
def test_no_encoding_loses_a_sweep(
    sweep: Sweep, experiment: str, environment: dict[str, str]
) -> None:
    overrides = ("optimizer.lr=0.1,0.2", "seed=0,1", f"tracking.experiment='{experiment}'")
    done = sweep.run(*overrides, model="Talking", **environment)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "The best by test accuracy" in done.stdout
    (folder,) = sweep.folders
    assert "\u00b1" in (folder / "verdict.txt").read_text(encoding="utf-8")
    assert [job["state"] for job in sweep.jobs()] == ["finished"] * 4
    assert {run.info.status for run in runs(sweep.folder)} == {"FINISHED"}


def test_a_sweep_is_recorded_before_its_verdict_is_printed(sweep: Sweep) -> None:
    process = sweep.start("seed=0,1", "tracking=none", model="SimpleNet")
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("The best by"):
            (folder,) = sweep.folders
            assert journal.history(folder).status == "FINISHED"
            assert [job["state"] for job in sweep.jobs()] == ["finished", "finished"]
            break
    else:
        raise AssertionError("no verdict was printed")
    finish(process)
