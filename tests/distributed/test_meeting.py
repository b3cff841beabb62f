"""Processes agree before a run begins, and exactly one of them gives a reason."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import timedelta

import pytest
from torch.distributed import HashStore, PrefixStore, TCPStore

from experiments.distributed import meeting, together, waiting
from experiments.distributed.meeting import Meeting, Outcome, Silenced
from experiments.distributed.together import agreeing, alone, ending_together, refusing_together
from experiments.distributed.world import World
from experiments.errors import InputError, RunError

HERE, THERE = "a" * 64, "b" * 64


def ends(*told: tuple[Outcome, str]) -> list[str]:
    """Have processes agree; return `goes on`, `silent` or the error of each."""
    store = HashStore()

    def agree(rank: int) -> str:
        try:
            Meeting(store, World(rank, len(told))).agree(*told[rank])
        except Silenced:
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
    with pytest.raises(InputError, match=r"^-m: needs one process"):
        alone("-m", "do it alone")


Use = Callable[[], AbstractContextManager[None]]


def fail(error: ValueError | None) -> None:
    if error is not None:
        raise error


def ends_of(monkeypatch: pytest.MonkeyPatch, use: Use, *errors: ValueError | None) -> list[str]:
    """Let processes end a block with errors; return what each raises."""
    store, here = HashStore(), threading.local()
    monkeypatch.setattr(together, "world", lambda: World(size=len(errors)))
    monkeypatch.setattr(together, "meeting", lambda: here.met)

    def end(rank: int) -> str:
        here.met = Meeting(store, World(rank, len(errors)))
        try:
            with use():
                fail(errors[rank])
                here.met.agree("ready")
        except (ValueError, SystemExit) as raised:
            return repr(raised)
        return "goes on"

    with ThreadPoolExecutor(len(errors)) as pool:
        return list(pool.map(end, range(len(errors))))


def test_an_error_of_all_processes_is_raised_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    ends = ends_of(monkeypatch, ending_together, *[ValueError("no")] * 3)
    assert sorted(ends) == ["SystemExit(1)", "SystemExit(1)", "ValueError('no')"]


def test_an_error_before_the_preparation_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    ends = ends_of(monkeypatch, refusing_together, None, ValueError("only here"))
    assert ends == ["Silenced(0)", "ValueError('only here')"]
    ends = ends_of(monkeypatch, refusing_together, ValueError("a"), ValueError("b"))
    assert ends == ["ValueError('a')", "Silenced(0)"]


def test_an_error_after_the_agreement_is_told() -> None:
    one = Meeting(HashStore(), World(0, 1))
    one.agree("ready")
    one.refuse(ValueError("no folder"))
    assert one.failure() == "rank 0 has failed: ValueError: no folder"


def test_a_long_wait_names_those_who_have_not_come(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(waiting, "_SILENT_SECONDS", -1.0)
    monkeypatch.setenv("MASTER_PORT", "77")
    store = HashStore()
    store.set("outcome of 1", "{}")
    monkeypatch.setattr(waiting, "PATIENCE", timedelta(seconds=0.1))
    with pytest.raises(InputError, match=r"MASTER_PORT=77: nothing from rank 2 within 0:00:00"):
        Meeting(store, World(0, 3)).agree("ready")
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("rank 0 waits for rank 2 (WORLD_SIZE=")
    assert line.endswith("; start all processes, or unset WORLD_SIZE for a run in one process")


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A port that another program has opened, and the place of rank 0 there."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        place = {"WORLD_SIZE": "2", "RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        for name, value in place.items():
            monkeypatch.setenv(name, value)
        meeting.meeting.cache_clear()
        yield server
        meeting.meeting.cache_clear()


def test_a_port_in_use_is_one_line(kept: socket.socket) -> None:
    port = kept.getsockname()[1]
    with pytest.raises(InputError, match=rf"MASTER_PORT={port}: cannot be opened \(.*; choose the"):
        meeting.meeting()


def test_a_store_that_ends_is_one_line(kept: socket.socket) -> None:
    kept.close()
    first = meeting.meeting()  # it does not wait for the others
    other = TCPStore("127.0.0.1", int(os.environ["MASTER_PORT"]), is_master=False)
    met = Meeting(PrefixStore("experiments", other), World(1, 2))
    meeting.meeting.cache_clear()
    del first
    with pytest.raises(
        RunError, match=r"^rank 1 of 2: rank 0 or torchrun has ended before the run"
    ):
        met.agree("ready")
