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


def calls_in(seconds: float, choice: ThreadChoice, call: Callable[[], int]) -> list[int]:
    """Call again and again for so long, and return the numbers of threads."""
    end, used = time.perf_counter() + seconds, []
    while time.perf_counter() < end:
        used.append(choice.call(call))
    return used


@pytest.mark.parametrize("unit", [1e-5, 3e-3], ids=["short calls", "long calls"])
@pytest.mark.parametrize(
    ("seconds", "chosen"), [({1: 1.0, 2: 0.6}, 2), ({1: 1.0, 2: 3.0}, 1), ({1: 1.0, 2: 0.99}, 1)]
)
def test_the_faster_number_is_chosen(
    clock, unit: float, seconds: dict[int, float], chosen: int
) -> None:
    choice, call = ThreadChoice(), clock({n: unit * each for n, each in seconds.items()})
    used = calls_in(threads._PERIOD, choice, call)
    assert set(used[2 * threads._SAMPLES :]) == {chosen}
    assert torch.get_num_threads() == 2


def test_it_is_chosen_anew_when_the_load_changes(clock) -> None:
    choice, seconds = ThreadChoice(), {1: 1e-4, 2: 3e-4}
    call = clock(seconds)
    first = calls_in(threads._PERIOD, choice, call)
    seconds[2] = 6e-5
    second = calls_in(2 * threads._PERIOD, choice, call)
    assert (first[-1], second[-1]) == (1, 2)


@pytest.mark.parametrize("unit", [1e-5, 3e-3], ids=["short calls", "long calls"])
def test_a_comparison_beside_a_busy_process_is_short_and_seldom_repeated(
    clock, unit: float
) -> None:
    choice, call = ThreadChoice(), clock({1: unit, 2: 100 * unit})
    used = calls_in(3 * threads._LONGEST, choice, call)
    assert used.count(2) <= 4 * threads._LEAST


def test_the_setting_survives_an_error(clock) -> None:
    del clock

    def fail() -> None:
        assert torch.get_num_threads() == 1
        raise KeyError

    with pytest.raises(KeyError):
        ThreadChoice().call(fail)
    assert torch.get_num_threads() == 2
