"""Compiled steps: built if there is a compiler, counted, and on one thread or two."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterator

import pytest
import torch

from experiments.threads import ThreadChoice
from experiments.training import compiled_steps, steps_library
from experiments.training.compiled_steps import CompiledSteps


@pytest.fixture(scope="session")
def built() -> None:
    """Build the library, unless it is there or this machine has no compiler."""
    if shutil.which(shlex.split(os.environ.get("CXX", "c++"))[0]) is None:
        pytest.skip("no C++ compiler: the steps are Python's")
    if not steps_library.library().exists():
        steps_library.build()
    steps_library.is_loaded.cache_clear()
    assert steps_library.is_loaded()


@pytest.fixture(params=[1, 2], ids=["one thread", "two threads"])
def threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make all calls with so many threads."""
    monkeypatch.setattr(ThreadChoice, "call", lambda _, function, *arguments: function(*arguments))
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that gets the number of batches of each compiled call after the trial."""
    counts: list[int] = []
    take, tried = CompiledSteps.take, compiled_steps._has_the_bits

    def noting(self: CompiledSteps, *arguments: torch.Tensor) -> Iterator[int]:
        for count in take(self, *arguments):
            counts.append(count)
            yield count

    def trial(*arguments: object) -> bool:
        has_the_bits = tried(*arguments)
        counts.clear()
        return has_the_bits

    monkeypatch.setattr(CompiledSteps, "take", noting)
    monkeypatch.setattr(compiled_steps, "_has_the_bits", trial)
    return counts
