"""The GPUs that a process sees, without torch and without a GPU."""

from __future__ import annotations

import ctypes

import pytest
import torch

from experiments.errors import InputError
from experiments.process.gpus import refuse_unseen, torch_uses_gpus, visible_gpus


@pytest.mark.parametrize(
    ("told", "names"),
    [
        ("0,1,2", ("0", "1", "2")),
        ("3", ("3",)),
        (" 2 , GPU-5f", ("2", "GPU-5f")),
        ("", ()),
        ("-1", ()),
        ("NoDevFiles", ()),  # Slurm's word for none
        ("MIG-GPU-5f/1/0", ("MIG-GPU-5f/1/0",)),
        ("1,-1,2", ("1",)),  # CUDA ignores what follows
    ],
)
def test_those_that_the_variable_names(
    monkeypatch: pytest.MonkeyPatch, told: str, names: tuple[str, ...]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", told)
    assert visible_gpus() == names


class Driver:
    """Stands in for libcuda."""

    def __init__(self, begins: int, gpus: int) -> None:
        self._begins, self._gpus = begins, gpus

    def cuInit(self, flags: int) -> int:  # noqa: N802
        return self._begins

    def cuDeviceGetCount(self, count) -> int:  # noqa: N802
        count._obj.value = self._gpus
        return 0


@pytest.mark.parametrize(("begins", "names"), [(0, ("0", "1", "2")), (100, ())])
def test_without_it_those_of_the_driver(
    monkeypatch: pytest.MonkeyPatch, begins: int, names: tuple[str, ...]
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(ctypes, "CDLL", lambda _: Driver(begins, 3))
    assert visible_gpus() == names


def test_without_a_driver_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise OSError(name)

    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert visible_gpus() == ()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,99")
    refuse_unseen()  # nobody can tell


@pytest.mark.parametrize("begins", [0, 100])
def test_names_of_no_gpu_are_refused(monkeypatch: pytest.MonkeyPatch, begins: int) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,99")
    monkeypatch.setattr(ctypes, "CDLL", lambda _: Driver(begins, 1))
    seen = 0 if begins else 1
    said = f"^CUDA_VISIBLE_DEVICES=0,99: names 2 GPUs, and CUDA sees {seen} of them; name those"
    with pytest.raises(InputError, match=said):
        refuse_unseen()
    monkeypatch.setattr(ctypes, "CDLL", lambda _: Driver(0, 2))
    refuse_unseen()


def test_the_build_of_torch_is_known_without_its_import() -> None:
    assert torch_uses_gpus() == bool(torch.version.cuda or torch.version.hip)
