"""The certificate proves nothing without a kill, and says so."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from experiments.run import verify_resume
from experiments.run.verify_resume import Evidence


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
