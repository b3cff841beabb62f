"""The faster number of threads is found again and again, and the setting stays as it was."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import torch

from experiments import threads
from experiments.threads import ThreadChoice


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[int, float]], Callable[[], int]]:
    """Return a maker of calls that take given seconds, by the number of threads."""
    now = 0.0
    monkeypatch.setattr(time, "perf_counter", lambda: now)
    monkeypatch.setattr(torch, "get_num_threads", lambda: setting[0])
    monkeypatch.setattr(torch, "set_num_threads", lambda number: setting.__setitem__(0, number))
    setting = [2]

    def calls(seconds: dict[int, float]) -> Callable[[], int]:
        def call() -> int:
            nonlocal now
            now += seconds[setting[0]]
            return setting[0]

        return call

    return calls


@pytest.mark.parametrize(
    ("seconds", "chosen"), [({1: 1.0, 2: 0.6}, 2), ({1: 1.0, 2: 3.0}, 1), ({1: 1.0, 2: 0.99}, 1)]
)
def test_the_faster_number_is_chosen(clock, seconds: dict[int, float], chosen: int) -> None:
    choice, call = ThreadChoice(), clock(seconds)
    used = [choice.call(call) for _ in range(threads._PERIOD)]
    assert set(used[2 * threads._SAMPLES :]) == {chosen}
    assert torch.get_num_threads() == 2


def test_it_is_chosen_anew_when_the_load_changes(clock) -> None:
    choice, seconds = ThreadChoice(), {1: 1.0, 2: 3.0}
    call = clock(seconds)
    first = [choice.call(call) for _ in range(threads._PERIOD)]
    seconds[2] = 0.6
    second = [choice.call(call) for _ in range(2 * threads._PERIOD)]
    assert (first[-1], second[-1]) == (1, 2)


def test_a_comparison_beside_a_busy_process_is_short_and_seldom_repeated(clock) -> None:
    choice, call = ThreadChoice(), clock({1: 1.0, 2: 100.0})
    used = [choice.call(call) for _ in range(3 * threads._LONGEST)]
    assert used.count(2) <= 6 * threads._WARM_UP


def test_the_setting_survives_an_error(clock) -> None:
    del clock

    def fail() -> None:
        assert torch.get_num_threads() == 1
        raise KeyError

    with pytest.raises(KeyError):
        ThreadChoice().call(fail)
    assert torch.get_num_threads() == 2
