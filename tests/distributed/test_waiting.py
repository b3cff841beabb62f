"""A wait for an exchange goes in turns, so that signals are heeded in between."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import torch
from torch.distributed import HashStore, ProcessGroupGloo

from experiments.distributed import waiting

CPU = torch.device("cpu")


class Noted:
    """An exchange that notes its turns."""

    def __init__(self, work: object, turn: threading.Event) -> None:
        self._work, self._turn, self.count = work, turn, 0

    def wait(self, timeout: timedelta) -> None:
        self.count += 1
        try:
            self._work.wait(timeout)
        except RuntimeError:
            self._turn.set()
            raise


@pytest.fixture
def pair() -> list[ProcessGroupGloo]:
    """Two places of gloo in this process."""
    store = HashStore()
    with ThreadPoolExecutor(2) as pool:
        made = [
            pool.submit(ProcessGroupGloo, store, rank, 2, timedelta(seconds=60)) for rank in (0, 1)
        ]
        return [each.result() for each in made]


def test_a_wait_for_another_process_ends_with_its_answer(
    pair: list[ProcessGroupGloo], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "_TURN", timedelta(milliseconds=10))
    own, turn = torch.ones(3), threading.Event()
    exchange = Noted(pair[0].allreduce([own]), turn)

    def answer() -> None:
        turn.wait()
        pair[1].allreduce([torch.full((3,), 2.0)]).wait()

    with ThreadPoolExecutor(1) as pool:
        answered = pool.submit(answer)
        waiting.wait_for(exchange, CPU)
        answered.result()
    assert own.tolist() == [3.0] * 3
    assert exchange.count > 1


def test_another_error_of_an_exchange_is_raised() -> None:
    class Lost:
        def wait(self, timeout: timedelta) -> None:
            raise RuntimeError("[.../gloo/...] Connection closed by peer")

    with pytest.raises(RuntimeError, match="Connection closed by peer"):
        waiting.wait_for(Lost(), CPU)
