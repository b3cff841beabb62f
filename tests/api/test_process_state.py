"""The settings of torch during a call, and after it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from experiments.api.process_state import _defaults, _Precision


@pytest.fixture(autouse=True)
def settings_as_before() -> Iterator[None]:
    precision = _Precision()
    precision.reset()
    yield
    precision.restore()


def state() -> list[object]:
    there = torch.backends
    owners = [there, there.cudnn, there.cudnn.conv, there.cudnn.rnn, there.cuda.matmul]
    owners += [there.mkldnn, there.mkldnn.matmul, there.mkldnn.conv, there.mkldnn.rnn]
    found: list[object] = [each.fp32_precision for each in owners]
    for read in (torch.get_float32_matmul_precision, lambda: there.cudnn.allow_tf32):
        try:
            found.append(read())
        except RuntimeError:
            found.append("contradicted by the newer settings")
    return found


def test_each_setting_of_the_precision_is_as_before_also_if_they_contradict_each_other() -> None:
    new, there = state(), torch.backends

    def check() -> None:
        before = state()
        with _defaults():
            assert state() == new
        assert state() == before

    check()
    torch.set_float32_matmul_precision("medium")
    there.cudnn.allow_tf32 = False
    check()
    there.cudnn.conv.fp32_precision, there.cudnn.rnn.fp32_precision = "ieee", "tf32"
    check()
    there.cuda.matmul.fp32_precision = there.mkldnn.conv.fp32_precision = "tf32"
    check()
    there.fp32_precision = "tf32"
    check()
    assert "contradicted by the newer settings" in state()
