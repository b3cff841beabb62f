"""The reason of a failed job names the place in the user's code; the log has the traceback."""

from __future__ import annotations

import pytest
import torch

from experiments.worker.server import _failure
from tests.own_models import Drawing


def test_the_reason_ends_with_the_place_in_the_user_s_code(
    capfd: pytest.CaptureFixture[str],
) -> None:
    try:
        torch.nn.Sequential(Drawing(inputs=4, hidden=[2], classes=2))(torch.zeros(3))
    except Exception as error:  # noqa: BLE001  (torch decides its type)
        answer = _failure(error)
    assert answer["state"] == "failed"
    assert answer["reason"].endswith(" (tests/own_models.py:72)")
    assert "tests/own_models.py" in capfd.readouterr().err


def test_an_error_without_words_is_a_reason_too(capfd: pytest.CaptureFixture[str]) -> None:
    assert _failure(ValueError(" ")) == {"state": "failed", "reason": "ValueError: "}
