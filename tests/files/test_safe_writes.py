"""A file exists whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from experiments.errors import RunError
from experiments.files.safe_writes import write_atomically


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match=r"file: the disk is full: 3 bytes are needed and .* free"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
