"""The certificate proves nothing without a kill, and says so."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from experiments.journal import Journal
from experiments.run import verify_resume
from experiments.run.verify_resume import Evidence, compare


def test_a_run_that_always_ends_first_proves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[Path] = []

    def start(_: Sequence[str], folder: Path) -> subprocess.Popen[str]:
        begun.append(folder)
        return subprocess.Popen(
            [sys.executable, "-c", ""], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    monkeypatch.setattr(verify_resume, "_start", start)
    monkeypatch.setattr("random.uniform", lambda *_: 60.0)
    evidence = Evidence("0" * 64, {}, {}, frozenset({"r"}))
    monkeypatch.setattr(verify_resume, "result", lambda _: evidence)
    said: list[str] = []
    assert not verify_resume._verify([], 2, tmp_path, said.append)
    assert "nothing is proved" in said[-1]
    assert len(begun) == 1 + 2 + verify_resume._RETRIES


def test_a_failed_run_is_reported_with_its_reason(tmp_path: Path) -> None:
    refused = "error: optimizer.lr=-1: it should be greater than 0\n"
    assert verify_resume._reason(tmp_path, refused) == refused.strip().removeprefix("error: ")
    folder = tmp_path / "outputs" / "2026-11-23" / "15-36-12"
    folder.mkdir(parents=True)
    with Journal(folder) as journal:
        journal.write("tags", tags={"failure": "ArithmeticError: odd"})
    notes = "ArithmeticError: odd\nEverything about this run: outputs/…\nAs it is, …\n"
    assert verify_resume._reason(tmp_path, notes) == "ArithmeticError: odd"


def evidence(*stored: float) -> Evidence:
    """Return a run that has logged values at one step, of which the last counts."""
    return Evidence("0" * 64, {("own", 1): 2.0}, {("own", 1): stored}, frozenset({"r"}))


def test_a_step_has_as_many_values_as_in_the_whole_run() -> None:
    assert compare(evidence(1.0, 2.0), evidence(1.0, 2.0)) == []
    (said,) = compare(evidence(2.0), evidence(2.0, 2.0))
    assert said == "own of step 1 is (2.0, 2.0) in MLflow instead of (2.0,)"
    assert compare(evidence(1.0, 2.0), evidence(2.0))
