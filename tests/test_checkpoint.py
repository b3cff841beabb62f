"""Weights and checkpoints on disk: the same content, the same bytes; and damage is noticed."""

from __future__ import annotations

import hashlib
import io
import math
import os
import pickle
import shutil
import struct
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import (
    ConstantLR,
    CosineAnnealingLR,
    LRScheduler,
    MultiStepLR,
    OneCycleLR,
    StepLR,
)

from experiments import checkpoint
from experiments.checkpoint import Checkpoints, check_architecture, pack, save_weights, unpack
from experiments.errors import InputError
from experiments.models import SimpleNet

STATE = {"model": {"weight": torch.arange(12.0).view(3, 4)}, "step": 1, "nothing": None}


def assert_same(left: Any, right: Any) -> None:
    """Assert that two values have the same types, shapes and bits all the way down."""
    if isinstance(left, Mapping):
        assert isinstance(right, Counter) == isinstance(left, Counter)
        assert list(map(repr, left)) == list(map(repr, right))
        for key, value in left.items():
            assert_same(value, right[key])
        return
    assert type(left) is type(right)
    if isinstance(left, Tensor):
        assert (left.dtype, left.shape) == (right.dtype, right.shape)
        assert (
            left.contiguous()
            .view(-1)
            .view(torch.uint8)
            .equal(right.contiguous().view(-1).view(torch.uint8))
        )
    elif isinstance(left, list | tuple):
        assert len(left) == len(right)
        for one, other in zip(left, right, strict=True):
            assert_same(one, other)
    elif isinstance(left, float):
        assert struct.pack("d", left) == struct.pack("d", right)
    else:
        assert left == right


def saved_and_loaded(folder: Path, state: Mapping[str, Any]) -> dict[str, Any]:
    Checkpoints(folder).save(1, state)
    loaded = Checkpoints(folder).load()
    assert loaded is not None
    return loaded


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


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, False, 0, 1, -1, 2**70, 0.0, -0.0, 0.1 + 0.2, 5e-324, 1.0),
        *(math.nan, math.inf, -math.inf, "", "a\nb \u00e4 \U0001f600 \0", "tensor", "1"),
        *([], (), {}, Counter(), [[]], ((),), [()], ([], {}), {"a": {"b": {"c": ()}}}),
        *((1, "a", None), [1, (2, [3, (4,)])], (True, 1, 1.0), (0.9, 0.999)),
        *({1: "a", 2: "b"}, {"1": "a"}, {None: 0, True: 1, 0.5: 2}, {"b": 1, "a": 2}),
        *({"tensor": "a"}, {"tuple": [1]}, {"mapping": [[1, 2]]}, {"counter": []}),
        *(Counter([5, 5, 8]), Counter({"a": -1}), {"a.b": 1, "a": {"b": 2}, "": {"": 3}}),
    ],
    ids=repr,
)
def test_whatever_is_nested_comes_back_the_same(tmp_path: Path, value: object) -> None:
    assert_same(saved_and_loaded(tmp_path, {"value": value}), {"value": value})


@pytest.mark.parametrize(
    "tensor",
    [
        *(torch.tensor([1.5, math.nan, -math.inf, -0.0], dtype=torch.bfloat16), torch.tensor(3)),
        *(torch.tensor(math.nan), torch.tensor([2**62, -(2**63)]), torch.tensor([True, False])),
        *(torch.empty(0), torch.empty(0, 3), torch.empty(2, 0, dtype=torch.int64)),
        *(torch.arange(6, dtype=torch.float64).view(2, 3).t(), torch.arange(9.0)[::2]),
        *(torch.zeros(1).expand(4), torch.tensor([1, 255], dtype=torch.uint8)),
        *(torch.linspace(0, 1, 6, dtype=torch.float16), torch.get_rng_state()),
    ],
    ids=lambda tensor: f"{tensor.dtype}-{tuple(tensor.shape)}",
)
def test_tensors_come_back_to_the_bit(tmp_path: Path, tensor: Tensor) -> None:
    state = {"alone": tensor, "nested": [{"a": (tensor, 1)}, {5: tensor}]}
    assert_same(saved_and_loaded(tmp_path, state), state)


def test_tied_tensors_and_parameters_come_back_as_plain_ones(tmp_path: Path) -> None:
    weight = nn.Parameter(torch.arange(6.0).view(2, 3))
    state = {"first": weight, "second": weight, "part": weight[0], "turned": weight.t()}
    loaded = saved_and_loaded(tmp_path, state)
    assert_same(loaded, {key: value.detach() for key, value in state.items()})
    loaded["first"].zero_()
    assert loaded["second"].equal(weight)


def test_what_was_saved_does_not_change_with_what_is_trained() -> None:
    tensors: dict[str, Tensor] = {}
    weight = torch.ones(3)
    packed = pack({"weight": weight}, tensors)
    weight.zero_()
    assert unpack(packed, tensors)["weight"].equal(torch.ones(3))


def test_other_kinds_of_mappings_and_tuples_come_back_plain(tmp_path: Path) -> None:
    state = {"ordered": OrderedDict(b=1, a=2), "size": torch.Size([1, 2])}
    assert_same(saved_and_loaded(tmp_path, state), {"ordered": {"b": 1, "a": 2}, "size": (1, 2)})


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (len, "builtin_function_or_method"),
        (lambda epoch: epoch, "function"),
        (object(), "object"),
        ({1, 2}, "set"),
        (b"bytes", "bytes"),
        (1j, "complex"),
        (torch.float32, "dtype"),
        (SimpleNet, "type"),
        (Path(), type(Path()).__name__),
    ],
)
def test_what_cannot_be_kept_is_named_with_its_path(tmp_path: Path, value: object, said) -> None:
    state = {"optimizer": {"param_groups": [{"lr": 0.1}, {"betas": (0.9, value)}]}}
    place = r"^optimizer\.param_groups\.1\.betas\.1 is of the type "
    with pytest.raises(TypeError, match=f"{place}{said}$"):
        pack(state, {})
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, STATE)
    with pytest.raises(TypeError, match=place):
        checkpoints.save(2, state)
    assert_same(checkpoints.load(), STATE)


def test_the_same_state_is_the_same_file(tmp_path: Path) -> None:
    one, other = (Checkpoints(tmp_path / name).save(7, STATE) for name in ("one", "other"))
    assert one.name == other.name
    assert one.read_bytes() == other.read_bytes()
    digest = hashlib.sha256(one.read_bytes()).hexdigest()
    assert one.name == f"{7:09d}-{digest[:16]}.safetensors"


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


@pytest.mark.parametrize(
    ("write", "read"), [(pickle.dumps, pickle.loads), (saved_by_torch, loaded_by_torch)]
)
def test_a_pickle_is_refused_and_its_code_never_runs(
    tmp_path: Path, two: list[Path], write: Callable[..., bytes], read: Callable[..., object]
) -> None:
    trace = tmp_path / "trace"
    content = write(Gadget(trace))
    read(content)
    assert trace.exists()  # it would
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
        patch.setattr(checkpoint, "FORMAT", 2)
        path = Checkpoints(tmp_path).save(1, STATE)
        assert_same(Checkpoints(tmp_path).load(), STATE)
    with pytest.raises(InputError, match=f"{path.name}: has format 2, .* reads up to 1; "):
        Checkpoints(tmp_path).load()
    assert path.exists()


def test_what_a_killed_process_left_half_written_is_removed(two: list[Path]) -> None:
    staged = two[0].parent / f".{3:09d}-0123456789abcdef.safetensors.partial"
    staged.write_bytes(two[1].read_bytes()[:50])
    assert_same(Checkpoints(staged.parent).load(), STATE | {"step": 2})
    assert not staged.exists()


OPTIMIZERS: dict[str, Callable[[nn.Module], Optimizer]] = {
    "sgd": lambda model: SGD(model.parameters(), lr=0.1),
    "momentum": lambda model: SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True),
    "adamw": lambda model: AdamW(model.parameters(), lr=0.1, betas=(0.8, 0.99)),
    "fused": lambda model: AdamW(model.parameters(), lr=0.1, fused=True),
    "amsgrad": lambda model: AdamW(model.parameters(), lr=0.1, amsgrad=True),
}
SCHEDULES: dict[str, Callable[[Optimizer], LRScheduler]] = {
    "constant": lambda optimizer: ConstantLR(optimizer, factor=0.5),
    "step": lambda optimizer: StepLR(optimizer, step_size=2),
    "cosine": lambda optimizer: CosineAnnealingLR(optimizer, T_max=7),
    "onecycle": lambda optimizer: OneCycleLR(optimizer, max_lr=0.1, total_steps=20),
    "multistep": lambda optimizer: MultiStepLR(optimizer, milestones=[2, 5, 5]),
}


def steps(model: nn.Module, optimizer: Optimizer, schedule: LRScheduler, count: int) -> None:
    images = torch.linspace(-1, 1, 4 * 784).view(4, 784)
    for _ in range(count):
        optimizer.zero_grad()
        model(images).square().sum().backward()
        optimizer.step()
        schedule.step()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_optimizers_and_schedules_come_back_and_go_on(
    tmp_path: Path, optimizer: str, schedule: str
) -> None:
    def fresh() -> tuple[nn.Module, Optimizer, LRScheduler]:
        model = SimpleNet(hidden=[3])
        made = OPTIMIZERS[optimizer](model)
        return model, made, SCHEDULES[schedule](made)

    def states(parts: tuple[nn.Module, Optimizer, LRScheduler]) -> dict[str, Any]:
        return {str(place): part.state_dict() for place, part in enumerate(parts)}

    here, there = fresh(), fresh()
    steps(*here, 3)
    loaded = saved_and_loaded(tmp_path, states(here))
    assert_same(loaded, states(here))
    there[1].step()  # or the schedule warns that it steps first
    for place, part in enumerate(there):
        part.load_state_dict(loaded[str(place)])
    assert_same(states(there), states(here))
    for parts in (here, there):
        steps(*parts, 4)
    assert_same(states(there), states(here))


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
