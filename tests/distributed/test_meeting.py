"""Processes agree before a run begins, and exactly one of them gives a reason."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from torch.distributed import HashStore

from experiments.distributed.meeting import Elsewhere, Meeting, Outcome, agreeing, alone
from experiments.distributed.world import World
from experiments.errors import InputError

HERE, THERE = "a" * 64, "b" * 64


def ends(*told: tuple[Outcome, str]) -> list[str]:
    """Have processes agree; return `goes on`, `silent` or the error of each."""
    store = HashStore()

    def agree(rank: int) -> str:
        try:
            Meeting(store, World(rank, len(told))).agree(*told[rank])
        except Elsewhere:
            return "silent"
        except InputError as error:
            return str(error)
        return "goes on"

    with ThreadPoolExecutor(len(told)) as pool:
        return list(pool.map(agree, range(len(told))))


def test_ready_processes_of_one_run_begin() -> None:
    assert ends(("ready", HERE), ("ready", HERE), ("ready", HERE)) == ["goes on"] * 3


def test_a_finished_run_is_reported_by_rank_0() -> None:
    assert ends(("finished", HERE), ("ready", HERE)) == ["goes on", "silent"]
    assert ends(("finished", HERE), ("ready", THERE)) == ["goes on", "silent"]


def test_the_first_of_the_refused_speaks() -> None:
    assert ends(("refused", ""), ("refused", "")) == ["goes on", "silent"]
    assert ends(("ready", HERE), ("ready", HERE), ("refused", "")) == ["silent"] * 2 + ["goes on"]


def test_other_identities_are_refused_by_rank_0() -> None:
    first, *others = ends(("ready", HERE), ("ready", HERE), ("ready", THERE))
    assert first.startswith("rank 2 has prepared another run than rank 0; give all processes")
    assert others == ["silent"] * 2


def test_the_reason_of_a_failure_is_found() -> None:
    store = HashStore()
    failed, other = (Meeting(store, World(rank, 2)) for rank in (1, 0))
    assert other.failure() is None
    failed.fail(ValueError("no"))
    assert other.failure() == "rank 1 has failed: ValueError: no"
    assert [each.speaks_first() for each in (other, failed)] == [True, False]


def test_one_process_needs_no_meeting() -> None:
    with agreeing() as agree:
        agree(HERE)
    alone("-m", "start it alone")


def test_what_needs_one_process_is_refused_in_more(monkeypatch: pytest.MonkeyPatch) -> None:
    place = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1", "RANK": "0"}
    for name, value in place.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=r"^-m: needs one process, and torchrun has started 2; do"):
        alone("-m", "do it alone")
    monkeypatch.setenv("RANK", "1")
    with pytest.raises(Elsewhere):
        alone("-m", "do it alone")
