"""Weights and checkpoints on disk: the same content has the same bytes, and damage is noticed."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from experiments.errors import InputError
from experiments.models import SimpleNet
from experiments.run import checkpoint
from experiments.run.checkpoint import FORMAT, Checkpoints, check_architecture, save_weights
from tests.run.test_checkpoint_state import STATE, assert_same


def test_weights_come_back_and_the_hash_is_the_file_s(tmp_path: Path) -> None:
    model, path = SimpleNet(), tmp_path / "weights.safetensors"
    sha256 = save_weights(model.state_dict(), path)
    assert sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    loaded = SimpleNet()
    loaded.load_state_dict(load_file(path))
    for name, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value)
    assert save_weights(loaded.state_dict(), tmp_path / "again") == sha256


def test_tied_and_transposed_weights_can_be_saved(tmp_path: Path) -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(3, 3)
            self.second = nn.Linear(3, 3)
            self.second.weight = self.first.weight
            self.register_buffer("mask", torch.ones(2, 3).t())

    save_weights(Tied().state_dict(), tmp_path / "tied")
    assert set(load_file(tmp_path / "tied")) == {
        *("first.weight", "first.bias", "second.weight", "second.bias", "mask")
    }


def test_where_none_was_saved_there_is_none(tmp_path: Path) -> None:
    assert Checkpoints(tmp_path).load() is None
    assert Checkpoints(tmp_path / "nowhere").load() is None


def test_the_two_newest_are_kept(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    paths = [checkpoints.save(step, STATE | {"step": step}) for step in (8, 9, 10, 100, 1000)]
    assert sorted(checkpoints.folder.iterdir()) == paths[-2:]
    assert_same(checkpoints.load(), STATE | {"step": 1000})


def test_of_two_at_the_same_step_the_later_one_is_taken(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    for trial in range(5):
        for path in tmp_path.iterdir():
            os.utime(path, (trial, trial))
        checkpoints.save(3, STATE | {"trial": trial})
        assert checkpoints.load()["trial"] == trial
    assert len(list(tmp_path.iterdir())) == 2


def test_removed_nothing_is_left(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    checkpoints.remove()
    for step in (1, 2):
        checkpoints.save(step, STATE)
    checkpoints.remove()
    assert not checkpoints.folder.exists()


@pytest.fixture
def two(tmp_path: Path) -> list[Path]:
    """Two checkpoints, the older first."""
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    return [checkpoints.save(step, STATE | {"step": step}) for step in (1, 2)]


def truncated(content: bytes, position: int) -> bytes:
    return content[:position]


def flipped(content: bytes, position: int) -> bytes:
    return content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :]


def lengthened(content: bytes, position: int) -> bytes:
    return content[:position] + b"\0" + content[position:]


@pytest.mark.parametrize("damaged", [truncated, flipped, lengthened])
def test_damage_anywhere_is_said_and_the_one_before_is_taken(
    two: list[Path], caplog: pytest.LogCaptureFixture, damaged: Callable[[bytes, int], bytes]
) -> None:
    older, newest = two
    content = newest.read_bytes()
    for position in {*range(0, len(content), 7), *range(12), len(content) - 1}:
        newest.write_bytes(damaged(content, position))
        caplog.clear()
        assert_same(Checkpoints(newest.parent).load(), STATE | {"step": 1})
        (warning,) = caplog.records
        assert warning.levelname == "WARNING"
        assert warning.getMessage().startswith(f"{os.path.relpath(newest)}: is damaged")
        set_aside = newest.with_suffix(".damaged")
        assert set_aside.read_bytes() == damaged(content, position)
        assert sorted(newest.parent.iterdir()) == sorted((older, set_aside))
        set_aside.unlink()


def test_what_was_damaged_is_in_nobody_s_way(two: list[Path], caplog) -> None:
    older, newest = two
    newest.write_bytes(b"")
    checkpoints = Checkpoints(newest.parent)
    checkpoints.load()
    caplog.clear()
    assert_same(checkpoints.load(), STATE | {"step": 1})
    again = checkpoints.save(2, STATE | {"step": 2})
    assert_same(checkpoints.load(), STATE | {"step": 2})
    assert caplog.records == []
    assert set(newest.parent.glob("*.safetensors")) == {older, again}


def test_damage_to_all_is_never_taken_for_none(two: list[Path], caplog) -> None:
    for path in two:
        path.write_bytes(path.read_bytes()[:-1])
    checkpoints = Checkpoints(two[0].parent)
    for _ in range(3):
        with pytest.raises(InputError, match=r"checkpoints: every checkpoint is damaged .*restore"):
            checkpoints.load()
    assert len(caplog.records) == 2
    assert {path.suffix for path in two[0].parent.iterdir()} == {".damaged"}


def test_a_checkpoint_that_is_restored_is_taken(two: list[Path]) -> None:
    newest = two[-1]
    content = newest.read_bytes()
    for path in two:
        path.write_bytes(b"")
    with pytest.raises(InputError):
        Checkpoints(newest.parent).load()
    newest.write_bytes(content)
    assert_same(Checkpoints(newest.parent).load(), STATE | {"step": 2})


class Gadget:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def saved_by_torch(gadget: Gadget) -> bytes:
    file = io.BytesIO()
    torch.save(gadget, file)
    return file.getvalue()


def loaded_by_torch(content: bytes) -> None:
    torch.load(io.BytesIO(content), weights_only=False)


@pytest.mark.row("unsafe load")
@pytest.mark.parametrize(
    ("write", "read"), [(pickle.dumps, pickle.loads), (saved_by_torch, loaded_by_torch)]
)
def test_a_pickle_is_refused_and_its_code_never_runs(
    tmp_path: Path, two: list[Path], write: Callable[..., bytes], read: Callable[..., object]
) -> None:
    trace = tmp_path / "trace"
    content = write(Gadget(trace))
    read(content)
    assert trace.exists()  # unpickling runs the code
    trace.unlink()
    digest = hashlib.sha256(content).hexdigest()[:16]
    (two[0].parent / f"{3:09d}-{digest}.safetensors").write_bytes(content)
    for _ in range(2):
        with pytest.raises(InputError, match=rf"{3:09d}-{digest}.safetensors: is no checkpoint"):
            Checkpoints(two[0].parent).load()
    assert not trace.exists()


def test_weights_are_no_checkpoint(tmp_path: Path) -> None:
    save_weights(STATE["model"], tmp_path / "weights")
    content = (tmp_path / "weights").read_bytes()
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    name = f"{1:09d}-{hashlib.sha256(content).hexdigest()[:16]}.safetensors"
    shutil.move(tmp_path / "weights", folder / name)
    with pytest.raises(InputError, match="is no checkpoint of this project"):
        Checkpoints(folder).load()


def test_a_later_format_is_refused_naming_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "FORMAT", FORMAT + 1)
        path = Checkpoints(tmp_path).save(1, STATE)
        assert_same(Checkpoints(tmp_path).load(), STATE)
    with pytest.raises(InputError, match=f"has format {FORMAT + 1}, .* reads {FORMAT};"):
        Checkpoints(tmp_path).load()
    assert path.exists()


def test_what_a_killed_process_left_half_written_is_removed(two: list[Path]) -> None:
    staged = two[0].parent / f".{3:09d}-0123456789abcdef.safetensors.partial"
    staged.write_bytes(two[1].read_bytes()[:50])
    assert_same(Checkpoints(staged.parent).load(), STATE | {"step": 2})
    assert not staged.exists()


@pytest.mark.parametrize(
    ("saved", "said"),
    [
        ({"a": (2, 3), "b": (3,)}, r"b is 3 there and missing in the model"),
        ({}, r"a is missing there and 2 x 3 in the model"),
        ({"a": (3, 2)}, r"a is 3 x 2 there and 2 x 3 in the model"),
        ({"a": ()}, r"a is a scalar there and 2 x 3 in the model"),
        ({"a": (6,)}, r"a is 6 there and 2 x 3 in the model"),
    ],
)
def test_another_architecture_is_refused_naming_the_first_difference(saved, said: str) -> None:
    there = {name: torch.zeros(shape) for name, shape in saved.items()}
    place = r"^runs/checkpoints: is of another architecture \("
    with pytest.raises(InputError, match=f"{place}{said}"):
        check_architecture(Path("runs/checkpoints"), {"a": torch.ones(2, 3)}, saved=there)


def test_the_same_architecture_is_accepted_whatever_the_values() -> None:
    model, other = SimpleNet().state_dict(), SimpleNet().state_dict()
    check_architecture(Path("checkpoints"), model, saved=dict(reversed(other.items())))
