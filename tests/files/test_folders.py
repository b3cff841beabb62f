"""The checks before the folder of a run exists."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from experiments.errors import InputError
from experiments.files.folders import check_writable

Usage = namedtuple("Usage", "total used free")


def test_item_21_a_full_disk_is_said_at_the_start(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 10**9 - 4096, 4096))
    with pytest.raises(InputError) as caught:
        check_writable("hydra.run.dir", tmp_path / "outputs" / "run")
    assert "4,096 bytes are free" in str(caught.value)
    assert "make room, or name another folder" in str(caught.value)


def test_checking_leaves_nothing_behind(tmp_path: Path) -> None:
    check_writable("hydra.run.dir", tmp_path / "a" / "b" / "c")
    assert list(tmp_path.iterdir()) == []
