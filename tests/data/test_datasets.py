"""The checksum of a data set, computed without torch, equals that of the loaded data set."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from experiments.data import Digits
from experiments.data.datasets import shipped
from experiments.data.files import FILES
from experiments.data.splits import Splits, load


def checksum(target: str, root: str) -> str | None:
    found = shipped(target)
    assert found is not None
    return found.checksum(root)


def test_it_is_the_loaded_one(digits: Splits, root: str) -> None:
    assert checksum("experiments.data.Digits", root) == digits.sha256


def test_it_follows_the_files(tmp_path: Path) -> None:
    before = load(Digits, {"root": str(tmp_path)}).sha256
    labels = tmp_path / "Digits" / "raw" / FILES[3]
    content = bytearray(labels.read_bytes())
    content[-1] = (content[-1] + 1) % 10
    labels.write_bytes(content)
    found = checksum("experiments.data.Digits", str(tmp_path))
    assert found is not None
    assert found != before


def test_mnist_is_known_before_it_is_there(tmp_path: Path) -> None:
    assert checksum("experiments.data.MNIST", str(tmp_path)) is not None


def test_what_only_loading_tells_is_not_guessed(tmp_path: Path) -> None:
    assert checksum("experiments.data.KMNIST", str(tmp_path)) is None


@pytest.mark.parametrize(
    "target",
    ["my_data.MNIST", "experiments.data.IdxImages", "experiments.data.fetch.MNIST", "MNIST", ""],
)
def test_only_a_class_of_ours_is_asked(target: str) -> None:
    assert shipped(target) is None


def test_it_takes_no_torch() -> None:
    code = "import sys, experiments.data; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
