"""Every kind of damage to a data file is found and named (item 15 of docs/reliability.md)."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from experiments.data import Digits, idx
from experiments.errors import InputError

IMAGES = torch.randint(256, (5, 4, 3), dtype=torch.uint8)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "images"
    idx.write(path, IMAGES)
    return path


def test_what_is_written_is_read(file: Path) -> None:
    images, sha256 = idx.read(file, dims=3)
    assert torch.equal(images, IMAGES)
    assert torch.equal(idx.read(file, dims=3, sha256=sha256)[0], IMAGES)


def test_the_format_is_lecun_s(file: Path) -> None:
    assert file.read_bytes()[:16] == bytes([0, 0, 8, 3, 0, 0, 0, 5, 0, 0, 0, 4, 0, 0, 0, 3])


@pytest.mark.parametrize(
    ("damage", "finding"),
    [
        (lambda _: b"", "is empty"),
        (lambda content: content[:-1], "has 75 bytes instead of 76"),
        (lambda content: content + b"x", "has 77 bytes instead of 76"),
        (lambda content: content[:7], "is no idx file"),
        (lambda content: b"<html>" + content, "is no idx file"),
        (lambda content: content[:3] + b"\x01" + content[4:], "has 1 dimensions instead of 3"),
        (lambda content: content[:4] + bytes(4) + content[8:], "holds nothing"),
        (lambda content: content[:-1] + bytes([content[-1] ^ 1]), "its SHA-256 is"),
    ],
)
def test_damage_is_found_and_named(file: Path, damage, finding: str) -> None:
    _, sha256 = idx.read(file, dims=3)
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(InputError, match=finding) as caught:
        idx.read(file, dims=3, sha256=sha256)
    assert str(file) in str(caught.value)
    assert "delete it and run again" in str(caught.value)


def _relabel(folder: Path, change) -> None:
    path = folder / "train-labels-idx1-ubyte"
    labels, _ = idx.read(path, dims=1)
    idx.write(path, change(labels))
    (folder / "SHA256SUMS").unlink()  # as if a user had put the files there


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (lambda labels: labels.clone().fill_(10), "has a label 10; labels go from 0 to 9"),
        (lambda labels: labels[:-1], "has 1500 images but 1499 labels"),
    ],
)
def test_labels_that_do_not_fit_are_found(tmp_path: Path, change, finding: str) -> None:
    Digits(root=str(tmp_path), train=True)
    _relabel(tmp_path / "Digits" / "raw", change)
    with pytest.raises(InputError, match=finding):
        Digits(root=str(tmp_path), train=True)
    Digits(root=str(tmp_path), train=False)
