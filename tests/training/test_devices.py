"""Kernel calls and transfers as on a GPU: fake tensors have its devices without one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from experiments.training.updates import Updates
from tests.training.test_updates import OPTIMIZERS

GPUS = ("cuda:0", "cuda:1")


class Waits(TorchDispatchMode):
    """Keeps the operations that copy tensors or wait for the device."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.__name__.partition(".")[0]
        if name in {"_local_scalar_dense", "copy_", "_to_copy"}:
            self.seen.append(name)
        return func(*args, **(kwargs or {}))


@pytest.fixture
def kernels(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[list[Tensor]]]:
    """The tensors of each call of a fused kernel, which fake tensors do not have."""
    calls: list[list[Tensor]] = []

    def note(*lists: list[Tensor], **hyperparameters: Any) -> None:
        calls.append([each for given in lists for each in given])

    for name in ("_fused_sgd_", "_fused_adamw_"):
        monkeypatch.setattr(torch, name, note)
    with FakeTensorMode():
        yield calls


def parameters() -> list[nn.Parameter]:
    """Parameters on two GPUs, of two types on the first."""
    found = [nn.Parameter(torch.zeros(3, 4, device=device)) for device in (*GPUS, *GPUS)]
    return [*found, nn.Parameter(torch.zeros(5, device=GPUS[0], dtype=torch.float64))]


@pytest.mark.parametrize("name", ["plain", "momentum", "adamw", "amsgrad"])
def test_each_kernel_call_has_tensors_of_one_device_and_one_type(
    kernels: list[list[Tensor]], name: str
) -> None:
    given = parameters()
    optimizer = OPTIMIZERS[name](given)
    updates = Updates([optimizer])
    for step in range(3):
        for number, parameter in enumerate(given):  # one has its first gradient in the second step
            is_late = number == 0 and step == 0
            parameter.grad = None if is_late else torch.ones_like(parameter)
        kernels.clear()
        with Waits() as waits:
            updates.step()
        assert waits.seen == []
        assert len(kernels) >= 3  # two devices, and two types on one of them
        for tensors in kernels:
            assert len({each.device for each in tensors}) == 1
            assert len({each.dtype for each in tensors if each.dim()}) == 1
    for parameter in given:
        for value in optimizer.state[parameter].values():
            assert value.device == parameter.device


@pytest.mark.parametrize("name", ["momentum", "adamw"])
def test_states_that_are_loaded_lie_on_the_device_of_their_parameters(
    kernels: list[list[Tensor]], name: str
) -> None:
    given = [nn.Parameter(torch.zeros(3, 4, device="cuda:1"))]
    optimizer = OPTIMIZERS[name](given)
    states = {"momentum_buffer": torch.zeros(3, 4)}
    if name == "adamw":
        states = {key: torch.zeros(3, 4) for key in ("exp_avg", "exp_avg_sq")}
        states["step"] = torch.zeros(())
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": {0: states}, "param_groups": groups})
    given[0].grad = torch.ones_like(given[0])
    Updates([optimizer]).step()
    (tensors,) = kernels  # the optimizer's own step did not run
    assert {each.device for each in tensors} == {torch.device("cuda:1")}
