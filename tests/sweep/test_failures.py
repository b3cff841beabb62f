"""Unfinished jobs with the same reason are one entry of the verdict."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.sweep.failures import failures, in_ranges
from experiments.sweep.outcomes import Outcome
from experiments.sweep.report import JobResult
from tests.sweep.made_up import job


def failed(number: int, reason: str) -> JobResult:
    outcome = Outcome(number, "failed", reason)
    return JobResult(job(number, f"seed={number}", "sweep.fail_fast=true"), None, outcome)


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ([4], "job 4"),
        ([4, 5], "jobs 4 and 5"),
        ([2, 3, 4, 5, 9], "jobs 2 to 5 and 9"),
        ([0, 1, 7, 10, 11, 12], "jobs 0, 1, 7 and 10 to 12"),
        (range(1000), "jobs 0 to 999"),
        (range(0, 1000, 2), "500 jobs from 0 to 998"),
    ],
)
def test_numbers_are_told_in_ranges(numbers: list[int], words: str) -> None:
    assert in_ranges(numbers) == words


def test_jobs_with_one_reason_are_one_entry_with_the_first_log_and_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for number in (3, 4):
        (tmp_path / f"{number}").mkdir()
        (tmp_path / f"{number}" / "train.log").touch()
    full = "the disk is full; " * 50
    results = [failed(number, full) for number in (2, 3, 4, 9)]
    results[2:2] = [failed(5, "ArithmeticError: once")]
    assert list(failures(results, tmp_path)) == [
        f"  jobs 2 to 4 and 9: {full}",
        "    log:    3/train.log",
        "    repeat: python train.py seed=2",
        "    This repeats job 2; the command of the sweep tries all of them again",
        "  job 5: ArithmeticError: once",
        "    repeat: python train.py seed=5",
    ]


def test_jobs_that_were_held_back_or_finished_are_no_failures(tmp_path: Path) -> None:
    held = JobResult(job(0), None, Outcome(0, "held back", "not begun"))
    done = JobResult(job(1), None, Outcome(1, "finished", objective=0.5))
    assert list(failures([held, done], tmp_path)) == []


def test_of_many_reasons_the_first_are_told_and_the_table_has_them_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = list(failures([failed(number, f"reason {number}") for number in range(13)], tmp_path))
    assert len(lines) == 2 * 10 + 1
    assert lines[-1] == "  3 more reasons are in jobs.csv"
