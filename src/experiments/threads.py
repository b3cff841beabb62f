"""The faster number of threads for work that gives the same bits on any number of them.

Between two small kernels a thread falls asleep, and to wake it takes longer than its share of the
work, above all beside other processes.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch

_PERIOD, _LONGEST = 0.25, 0.5  # s between comparisons: other processes come and go
_SAMPLES, _SECONDS = 12, 0.01  # calls of each kind in a comparison: so many, or as take so long
_RARELY = 20  # times the seconds of a comparison, until the next
_LEAST = 4  # calls; until then the other threads wake up
_LONG = 1e-3  # s; a call that takes so long wakes them itself
_GAIN = 0.95  # all threads must save a twentieth: other processes can use an idle core
_HOPELESS = 2.0  # times the seconds of one thread; beside a busy process a call may take 100 times
_FEW = 2**20  # elements

T = TypeVar("T")


@contextmanager
def threads_for(elements: int) -> Iterator[None]:
    """Use one thread for kernels that treat each of a few elements on its own."""
    threads = torch.get_num_threads()
    if elements <= _FEW:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class ThreadChoice:
    """Makes calls with one thread or with all threads of torch, whichever takes less time.

    A few calls of each kind are timed from time to time, and less often the longer one thread is
    faster. The calls must give the same bits on any number of threads.
    """

    def __init__(self) -> None:
        self._is_one_faster, self._period = True, _PERIOD
        self._begin()

    def _begin(self) -> None:
        """Begin a comparison: first with one thread, then with all."""
        self._compares = True
        self._one: list[float] = []
        self._all: list[float] = []

    def call(self, function: Callable[..., T], *arguments: object) -> T:
        """Return a function's result; afterwards torch has as many threads as before."""
        threads = torch.get_num_threads()
        if threads == 1:
            return function(*arguments)
        began = time.perf_counter()
        if not self._compares:
            if began >= self._next:
                self._begin()
            elif not self._is_one_faster:
                return function(*arguments)
        is_one = not self._compares or not _are_enough(self._one)
        if is_one:
            torch.set_num_threads(1)
        try:
            return function(*arguments)
        finally:
            torch.set_num_threads(threads)
            if self._compares:
                self._note(time.perf_counter() - began, is_one)

    def _note(self, seconds: float, is_one: bool) -> None:
        (self._one if is_one else self._all).append(seconds)
        if is_one:
            return
        one = _typical(self._one)
        told, hopeless = (2, one) if one > _LONG else (_LEAST, _HOPELESS * one)
        if len(self._all) == told and min(self._all) > hopeless:
            self._end(is_one_faster=True)
        elif _are_enough(self._all):
            self._end(is_one_faster=_typical(self._all) > _GAIN * one)

    def _end(self, *, is_one_faster: bool) -> None:
        self._compares, self._is_one_faster = False, is_one_faster
        self._period = min(2 * self._period, _LONGEST) if is_one_faster else _PERIOD
        spent = sum(self._one) + sum(self._all)
        self._next = time.perf_counter() + max(self._period, _RARELY * spent)


def _are_enough(seconds: list[float]) -> bool:
    return len(seconds) >= _SAMPLES or (len(seconds) >= _LEAST and sum(seconds) >= _SECONDS)


def _typical(seconds: list[float]) -> float:
    return statistics.median(seconds[len(seconds) // 3 :])
