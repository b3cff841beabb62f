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

_PERIOD = 1024  # calls from one comparison to the next: other processes come and go
_SAMPLES = 12  # calls of each kind in a comparison
_WARM_UP = 4  # of these, until the other threads are awake
_GAIN = 0.95  # all threads must save a twentieth: other processes can use an idle core

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

    A few calls of each kind are timed from time to time. The calls must give the same bits on any
    number of threads.
    """

    def __init__(self) -> None:
        self._calls = 0
        self._seconds: tuple[list[float], list[float]] = [], []
        self._is_one_faster = True

    def call(self, function: Callable[..., T], *arguments: object) -> T:
        """Return a function's result; afterwards torch has as many threads as before."""
        threads = torch.get_num_threads()
        place = self._calls % _PERIOD
        self._calls += 1
        is_one = place < _SAMPLES if place < 2 * _SAMPLES else self._is_one_faster
        if threads == 1 or (not is_one and place >= 2 * _SAMPLES):
            return function(*arguments)
        began = time.perf_counter()
        try:
            if is_one:
                torch.set_num_threads(1)
            return function(*arguments)
        finally:
            torch.set_num_threads(threads)
            if place < 2 * _SAMPLES:
                self._note(place, is_one, time.perf_counter() - began)

    def _note(self, place: int, is_one: bool, seconds: float) -> None:
        if place == 0:
            self._seconds = [], []
        self._seconds[is_one].append(seconds)
        if place == 2 * _SAMPLES - 1:
            several, one = (statistics.median(each[_WARM_UP:]) for each in self._seconds)
            self._is_one_faster = several > _GAIN * one
