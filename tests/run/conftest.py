"""Runs in this process can be stopped after any batch."""

from __future__ import annotations

import pytest

from experiments.training import compiled_steps


@pytest.fixture(autouse=True)
def one_batch_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let compiled steps return after each batch."""
    monkeypatch.setattr(compiled_steps, "_AT_ONCE", 1)
