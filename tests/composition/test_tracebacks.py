"""A traceback begins at the user's own code; without such code it is as Python prints it."""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from experiments.composition.entry_point import Refused, past_hydra
from experiments.composition.tracebacks import (
    place_in_user_code,
    print_traceback,
    raised_by_hydra,
)

OWN = """
import sys
import torch
from torch import nn

class Net(nn.Module):
    def forward(self, x):
        return self.helper(x)

    def helper(self, x):
        return nn.functional.linear(x, torch.zeros(3, 3))

class Exiting(Net):
    def helper(self, x):
        try:
            sys.exit(0)
        except SystemExit as error:
            raise RuntimeError("it called exit") from error

class Ours(nn.Module):
    def forward(self, x):
        from experiments.data.batches import count_batches
        return count_batches(None, 1, None)
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A module of the user's, in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "own_net.py").write_text(OWN)
    importlib.invalidate_caches()
    yield importlib.import_module("own_net")
    del sys.modules["own_net"]  # monkeypatch would put it back


def error_of(model: Callable[..., object]) -> Exception:
    """Return the error of a job that only calls a model, so that no frame is this file's."""
    with pytest.raises(Refused) as caught:
        past_hydra(model)(torch.zeros(2, 2))
    return caught.value.error


def printed(error: Exception, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return the names of the files of the frames that are printed."""
    print_traceback(error)
    return [Path(name).name for name in re.findall(r'File "(.*)"', capsys.readouterr().err)]


def test_it_begins_at_the_user_s_first_frame(own, capsys: pytest.CaptureFixture[str]) -> None:
    error = error_of(own.Net())
    assert printed(error, capsys) == ["own_net.py", "own_net.py"]
    assert place_in_user_code(error) == "own_net.py:11"


def test_frames_below_the_user_s_stay(own, capsys: pytest.CaptureFixture[str]) -> None:
    error = error_of(own.Ours())
    assert printed(error, capsys) == ["own_net.py", "batches.py"]
    assert place_in_user_code(error) == "own_net.py:23"


def test_the_cause_is_shortened_too(own, capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(error_of(own.Exiting()), capsys) == ["own_net.py"] * 3


def test_an_error_that_describes_a_cause_in_user_code_needs_no_frames(
    own, capsys: pytest.CaptureFixture[str]
) -> None:
    error = RuntimeError("a part failed")
    error.__cause__ = error_of(own.Net())
    assert printed(error, capsys) == ["own_net.py", "own_net.py"]
    assert place_in_user_code(error) == "own_net.py:11"


def test_a_file_elsewhere_is_named_without_its_folder(
    own, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    assert place_in_user_code(error_of(own.Net())) == "own_net.py:11"


def test_without_a_frame_of_the_user_s_nothing_is_left_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    error = error_of(nn.Linear(3, 3))
    shown = printed(error, capsys)
    assert shown[0] == "entry_point.py"
    assert "module.py" in shown
    assert place_in_user_code(error) is None


def test_the_whole_traceback_is_printed_on_request(
    own, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with raised_by_hydra():
        shown = printed(error_of(own.Net()), capsys)
    assert shown[0] == "entry_point.py"
    assert shown[-1] == "own_net.py"


@pytest.mark.parametrize("before", [None, "0", "1"])
def test_the_user_s_setting_is_restored(
    before: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    if before is not None:
        monkeypatch.setenv("HYDRA_FULL_ERROR", before)
    environment = dict(os.environ)
    with raised_by_hydra():
        assert os.environ["HYDRA_FULL_ERROR"] == "1"
    assert dict(os.environ) == environment
