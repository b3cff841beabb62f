"""The view tells the leading setting, the epochs and the time left, on terminals of any width."""

from __future__ import annotations

import contextlib
import math
import os
import pty
import re
from pathlib import Path

import pytest
from rich.console import Console

from experiments.sweep import view as view_module
from experiments.sweep.deliver_jobs import Delivering
from experiments.sweep.outcomes import Outcome, Outcomes
from experiments.sweep.view import View, watching
from tests.programs import wait_until
from tests.sweep.made_up import job
from tests.sweep.test_progress import Clock, report

SETTINGS = ("optimizer.lr=0.01", "optimizer.lr=0.1", "optimizer.lr=1")
JOBS = [
    job(2 * place + seed, setting, "optimizer=sgd_momentum", f"seed={seed}")
    for place, setting in enumerate(SETTINGS)
    for seed in range(2)
]


def finished(number: int, objective: float) -> Outcome:
    return Outcome(number, "finished", objective=objective)


def test_the_setting_with_the_highest_mean_over_its_seeds_leads(tmp_path: Path) -> None:
    view = View(JOBS, tmp_path)
    assert view.leader() == ""
    view.note(finished(0, 0.95))
    assert view.leader() == "leading: lr=0.01 sgd_momentum 95.00 % (n=1)"
    view.note(finished(2, 0.99))
    view.note(finished(3, 0.89))
    assert view.leader() == "leading: lr=0.01 sgd_momentum 95.00 % (n=1)"
    view.note(finished(1, 0.90))
    assert view.leader() == "leading: lr=0.1 sgd_momentum 94.00 % (n=2)"
    view.note(finished(4, 0.999))
    view.note(finished(5, math.nan))
    assert view.leader() == "leading: lr=0.1 sgd_momentum 94.00 % (n=2)"


def test_finished_before_counts_and_seeds_alone_have_a_mean(tmp_path: Path) -> None:
    view = View([job(0, "seed=0", finished=0.9), job(1, "seed=1")], tmp_path)
    view.note(finished(1, 0.8))
    assert str(view) == "2 of 2 done, mean 85.00 % (n=2)"


def test_test_accuracies_do_not_lead_beside_validation_accuracies(tmp_path: Path) -> None:
    jobs = [job(0, "data.validation_size=0"), job(1, "data.validation_size=100", split=True)]
    view = View(jobs, tmp_path)
    view.note(finished(0, 0.99))
    assert view.leader() == ""
    view.note(finished(1, 0.9))
    assert "90.00 % (n=1)" in view.leader()


def test_the_best_is_green_the_failed_red_the_diverged_yellow(tmp_path: Path) -> None:
    view = View(JOBS, tmp_path)
    told = [
        (finished(0, 0.5), "green", "job 0: finished, 50.00 %, lr=0.01 sgd_momentum s0"),
        (finished(1, 0.4), "", "job 1: finished, 40.00 %, lr=0.01 sgd_momentum s1"),
        (finished(2, math.nan), "yellow", "job 2: finished, diverged, lr=0.1 sgd_momentum s0"),
        (finished(3, 0.6), "green", "job 3: finished, 60.00 %, lr=0.1 sgd_momentum s1"),
        (Outcome(4, "failed", "why"), "red", "job 4: failed, why (lr=1 sgd_momentum s0)"),
        (Outcome(5, "running", "again"), "", "job 5: begun, lr=1 sgd_momentum s1 (again)"),
        (Outcome(5, "interrupted", "interrupted"), "", "job 5: interrupted (lr=1 sgd_momentum s1)"),
    ]
    for outcome, colour, text in told:
        line = view.note(outcome)
        assert (line.plain, line.style) == (text, colour)


def test_plain_lines_tell_the_progress_once_they_were_quiet_for_a_while(tmp_path: Path) -> None:
    clock = Clock()
    view = View(JOBS, tmp_path, clock=clock)
    view.note(Outcome(0, "running"))
    report(tmp_path / "0", 0.5, 0.25)
    view.progress.look()
    clock.now += 29
    assert view.reminder() is None
    clock.now += 1
    told = "0 of 6 done, 1 running, epoch 2 of 10, loss 0.250, 14 min left"
    assert view.reminder() == told
    clock.now += 40
    assert view.reminder() is None  # nothing has changed
    report(tmp_path / "0", 0.125, first=3)
    view.progress.look()
    assert "epoch 3 of 10, loss 0.125" in (view.reminder() or "")


@pytest.mark.parametrize("colour", [True, False])
def test_a_terminal_of_40_columns_shows_whole_sentences(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, colour: bool
) -> None:
    monkeypatch.setattr(view_module, "_LOOK_SECONDS", 0.01)
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"TERM": "xterm", "COLUMNS": "40"}.items():
        monkeypatch.setenv(name, value)
    if not colour:
        monkeypatch.setenv("NO_COLOR", "1")
    screen, its = pty.openpty()
    os.set_blocking(screen, False)
    shown = b""

    def frames() -> list[list[str]]:
        """Return the lines of each drawing of the bar, without colours."""
        nonlocal shown
        with contextlib.suppress(BlockingIOError):
            shown += os.read(screen, 2**16)
        text = re.sub(r"\x1b\[[\d;]*m", "", shown.decode(errors="ignore"))
        pieces = re.split(r"(?:\x1b\[[\d;?]*[A-Zhl]|\r(?!\n))+", text)
        return [piece[piece.index("━") :].splitlines() for piece in pieces if "━" in piece]

    def shows(words: str) -> bool:
        return any(" ".join(frame[1:]).split() == words.split() for frame in frames())

    clock = Clock()
    view, outcomes = View(JOBS, tmp_path, clock=clock), Outcomes(tmp_path, "turn")
    clock.now += 8
    outcomes.begin()
    with os.fdopen(its, "w") as terminal:
        view.console = Console(file=terminal, soft_wrap=True, highlight=False)
        with watching(view, outcomes, Delivering([], tmp_path)):
            outcomes.write(Outcome(0, "running"))
            report(tmp_path / "0", *[0.123] * 4)
            epochs = "epoch 4 of 10, loss 0.123"
            wait_until(lambda: shows(f"0 of 6 done, 1 running, {epochs}, 2 min left, 8 s so far"))
            outcomes.write(finished(0, 0.9565))
            outcomes.write(Outcome(1, "failed", "the reason " * 10))
            leader = "leading: lr=0.01 sgd_momentum 95.65 % (n=1)"
            wait_until(lambda: shows(f"2 of 6 done, 1 failed, {leader}, 80 s left, 8 s so far"))
        assert all(len(line) <= 40 for frame in frames() for line in frame)
    os.close(screen)
    assert "the reason " * 10 in shown.decode()
    assert ("\x1b[32mjob 0: finished, 95.65 %, lr=0.01 sgd" in shown.decode()) == colour
    assert ("\x1b[31mjob 1: failed" in shown.decode()) == colour


def test_a_job_that_ends_between_two_looks_is_told_to_have_begun(tmp_path: Path) -> None:
    view = View(JOBS, tmp_path)
    assert view.unseen_beginning(finished(0, 0.9)) == "job 0: begun, lr=0.01 sgd_momentum s0"
    assert view.unseen_beginning(Outcome(1, "held back")) is None
    view.note(Outcome(0, "running"))
    assert view.unseen_beginning(finished(0, 0.9)) is None
