"""Processes that drift apart are noticed, and rank 0 alone decides that a callback stops."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from experiments.distributed.team import ALONE, Team
from experiments.distributed.world import World
from experiments.errors import InputError, RunError
from experiments.run.build import _device_name, assemble
from experiments.run.keep_in_step import check_agreement
from experiments.run.lifecycle import Run
from experiments.run.processes import check_dense, check_processes, device_of_process
from experiments.training.marks import NO_MARKS
from tests.run.test_lifecycle import configuration


class Pair(Team):
    """Two processes, of which the other one tells what is given."""

    def __init__(self, rank: int, other: Tensor) -> None:
        super().__init__(World(rank, 2))
        self._other = other

    def gather(self, own: Tensor) -> Tensor:
        pair = [own, self._other] if self.is_first else [self._other, own]
        return torch.stack(pair)


class Listening(Team):
    """A process that only notes its own numbers."""

    def __init__(self) -> None:
        super().__init__(World(0, 2))

    def gather(self, own: Tensor) -> Tensor:
        self.told = own
        return torch.stack([own, own])


def told_by(model: nn.Module, reason: str | None) -> Tensor:
    team = Listening()
    check_agreement(team, model, reason, 1)
    return team.told


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))


def test_one_other_bit_of_one_weight_is_noticed() -> None:
    other = model()
    content = other[0].weight.data.view(torch.int32)
    content[1, 2] ^= 1
    with pytest.raises(RunError, match=r"^epoch 5: 0\.weight differs between rank 0 and rank 1; a"):
        check_agreement(Pair(0, told_by(other, None)), model(), None, 5)


def test_rank_0_alone_decides_to_stop() -> None:
    stops, goes_on = told_by(model(), "enough"), told_by(model(), None)
    assert check_agreement(Pair(1, stops), model(), None, 1) == "a callback of rank 0"
    assert check_agreement(Pair(1, goes_on), model(), "too long", 1) is None
    assert check_agreement(Pair(0, goes_on), model(), "enough", 1) == "enough"
    assert check_agreement(ALONE, model(), "enough", 1) == "enough"


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    place = {"WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "1"}
    for name, value in (place | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}).items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("two")
def test_each_process_has_a_gpu_of_its_own() -> None:
    there = ["cuda:0", "cuda:1", "cpu"]
    assert [device_of_process(each, there) for each in ("auto", "cuda", "cpu")] == [
        *("cuda:1", "cuda:1", "cpu")
    ]
    assert [device_of_process("auto", each) for each in (["cpu"], ["mps", "cpu"])] == ["cpu"] * 2
    with pytest.raises(InputError, match="rank 1 finds no cuda:1 on this machine, only cuda:0,"):
        device_of_process("auto", ["cuda:0", "cpu"])
    for wanted in ("cuda:0", "mps"):
        with pytest.raises(InputError, match=f"device={wanted}: is one device for 2 processes"):
            device_of_process(wanted, there)


@pytest.mark.usefixtures("two")
def test_auto_is_the_gpu_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert _device_name("auto") == "cuda:1"


@pytest.mark.usefixtures("two")
def test_only_rank_0_profiles(root: str, tmp_path: Path) -> None:
    config = configuration(root, "trainer.profile=1", "trainer.shards=2")
    parts = assemble(config)
    runs = [
        Run(config, replace(parts, team=Team(World(rank, 2))), "", None, tmp_path)
        for rank in (0, 1)
    ]
    assert [run.marks is NO_MARKS for run in runs] == [False, True]


@pytest.mark.usefixtures("two")
def test_processes_must_divide_the_shards(root: str) -> None:
    check_processes(configuration(root, "trainer.shards=6").trainer)
    check_processes(configuration(root, "trainer.strategy=ddp").trainer)
    with pytest.raises(InputError, match=r"shards=1: cannot be shared by 2 .* trainer.shards=2 or"):
        check_processes(configuration(root).trainer)
    with pytest.raises(InputError, match=r"shards=5: cannot be shared by 2 .* trainer.shards=6 or"):
        check_processes(configuration(root, "trainer.shards=5").trainer)


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (
            ("trainer.shards=2", "trainer.precision=fp16-mixed"),
            "trainer.shards=2: cannot be with trainer.precision=fp16-mixed",
        ),
        *(
            (
                (f"trainer.compile={mode}", "trainer.strategy=ddp", "trainer.deterministic=false"),
                f"trainer.compile={mode}: has gradients in the memory of CUDA graphs, which Dist",
            )
            for mode in ("reduce-overhead", "max-autotune")
        ),
    ],
)
def test_what_cannot_be_shared_is_refused(root: str, overrides: tuple[str, ...], line: str) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(line)}"):
        configuration(root, *overrides)


def test_a_sparse_layer_is_refused_before_anything_begins(root: str) -> None:
    sparse = nn.Sequential(nn.Embedding(4, 3, sparse=True), nn.Linear(3, 2))
    check_dense(configuration(root).trainer, sparse)
    with pytest.raises(InputError, match=r"^model: the layer 0 has sparse gradients, which shards"):
        check_dense(configuration(root, "trainer.shards=2").trainer, sparse)


def test_ddp_in_one_process_is_the_plain_run(root: str) -> None:
    from experiments.identity.ingredients import ingredients_of

    plain, ddp = (configuration(root, *overrides) for overrides in ((), ("trainer.strategy=ddp",)))
    identities = {
        ingredients_of(each, data_sha256="", device="cpu").identity for each in (plain, ddp)
    }
    assert len(identities) == 1
    assert assemble(ddp).team is ALONE
