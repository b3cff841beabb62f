"""The progress of a sweep counts the epochs in the journals of its running jobs."""

from __future__ import annotations

import math
import platform
from dataclasses import replace
from pathlib import Path

import pytest

from experiments import journal
from experiments.journal import Journal
from experiments.sweep.outcomes import Outcome
from experiments.sweep.progress import Progress
from tests.sweep.made_up import job


class Clock:
    """A clock that only its test moves, in seconds."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def report(folder: Path, *losses: float, first: int = 1) -> None:
    """Append the epochs of a run to its journal."""
    folder.mkdir(exist_ok=True)
    with Journal(folder) as opened:
        for epoch, loss in enumerate(losses, first):
            opened.write("metrics", metrics={"train_loss": loss, "lr": 0.1}, step=epoch)


def test_running_jobs_advance_by_their_epochs(tmp_path: Path) -> None:
    clock = Clock()
    jobs = [job(number, f"seed={number}") for number in range(3)]
    jobs += [job(3, "seed=3", finished=0.9), replace(job(4, "seed=3"), twin=3)]
    progress = Progress(jobs, tmp_path, clock=clock)
    assert (progress.total, progress.ended, progress.fraction) == (4, 1, 0.25)
    for number in range(2):
        progress.note(Outcome(number, "running"))
    progress.look()  # the jobs have no folders yet
    assert (str(progress), progress.seconds_left) == ("", None)
    report(tmp_path / "0", 2.0, 0.5)
    report(tmp_path / "1", 2.0, math.nan, 3.25)
    clock.now += 10
    progress.look()
    assert progress.fraction == 15 / 40
    assert str(progress) == "epoch 2 to 3 of 10, loss 0.500 to 3.250"
    assert progress.seconds_left == pytest.approx(10 / 5 * 25)
    progress.note(Outcome(0, "failed", "it has failed"))
    progress.note(Outcome(1, "finished", objective=0.5))  # early, after 3 epochs
    assert progress.fraction == 30 / 40
    assert progress.seconds_left == pytest.approx(10 / 5 * 10)
    assert (str(progress), progress.ended, progress.count("failed")) == ("", 3, 1)


def test_epochs_before_this_turn_do_not_count_for_the_pace(tmp_path: Path) -> None:
    clock = Clock()
    report(tmp_path / "0", *[1.0] * 8)
    resumed = replace(job(0), kind="to resume")
    progress = Progress([resumed, job(1)], tmp_path, clock=clock)
    assert progress.fraction == 8 / 20
    progress.note(Outcome(0, "running"))
    clock.now += 4
    progress.look()
    assert progress.seconds_left is None
    report(tmp_path / "0", 0.5, first=9)
    progress.look()
    assert progress.seconds_left == pytest.approx(4 * 11)


def test_a_job_elsewhere_tells_no_epochs_until_it_ends(tmp_path: Path) -> None:
    clock = Clock()
    progress = Progress([job(0), job(1)], tmp_path, clock=clock)
    report(tmp_path / "0", 1.0)
    progress.note(Outcome(0, "running", host="elsewhere"))
    progress.look()
    assert (str(progress), progress.fraction) == ("", 0)
    clock.now += 5
    progress.note(Outcome(0, "finished", objective=0.5, host="elsewhere"))
    assert (progress.fraction, progress.seconds_left) == (0.5, 5)


def test_an_interrupted_job_is_not_done(tmp_path: Path) -> None:
    progress = Progress([job(0)], tmp_path)
    progress.note(Outcome(0, "interrupted", "interrupted"))
    assert (progress.ended, progress.fraction) == (0, 0)


def test_only_new_reports_are_read_and_damage_is_left_to_the_delivery(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offsets: list[int] = []
    read = journal.read

    def counted(folder: Path, offset: int) -> tuple[list[dict[str, object]], int]:
        offsets.append(offset)
        return read(folder, offset)

    monkeypatch.setattr(journal, "read", counted)
    progress = Progress([job(0)], tmp_path)
    progress.note(Outcome(0, "running", host=platform.node()))
    report(tmp_path / "0", 1.0)
    progress.look()
    progress.look()
    size = (tmp_path / "0" / journal.NAME).stat().st_size
    with (tmp_path / "0" / journal.NAME).open("ab") as file:
        file.write(b"no event\n")
    progress.look()
    progress.look()
    assert offsets == [0, size]
    assert str(progress) == "epoch 1 of 10, loss 1.000"
