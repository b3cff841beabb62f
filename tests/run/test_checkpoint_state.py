"""A state comes back from a checkpoint bit-identical."""

from __future__ import annotations

import hashlib
import math
import struct
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
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

from experiments.models import SimpleNet
from experiments.run.checkpoint import Checkpoints
from experiments.run.packing import pack, unpack

STATE = {"model": {"weight": torch.arange(12.0).view(3, 4)}, "step": 1, "nothing": None}


def assert_same(left: Any, right: Any) -> None:
    """Assert that two nested values have the same types, shapes and bits at every level."""
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


def test_no_two_tensors_fall_together(tmp_path: Path) -> None:
    one, two = torch.zeros(2), torch.ones(2)
    state = {"a.b": one, "a": {"b": two}, 1: one, "1": two}
    assert_same(saved_and_loaded(tmp_path, state), state)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({(1, 2): 3}, "state has a key of the type tuple"),
        (torch.zeros(2, dtype=torch.complex64), "state is of the type Tensor"),
        (torch.zeros(2).to_sparse(), "state is of the type Tensor"),
        (torch.zeros(2, device="meta"), "state is of the type Tensor"),
    ],
    ids=["key", "complex", "sparse", "meta"],
)
def test_what_could_not_be_loaded_is_not_saved(value: object, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        pack({"state": value}, {})
