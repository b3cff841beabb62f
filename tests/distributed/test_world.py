"""The place of a process is read from torchrun's variables, and incomplete ones are refused."""

from __future__ import annotations

import pytest

from experiments.distributed.world import World, world
from experiments.errors import InputError

WHOLE = {
    "WORLD_SIZE": "4",
    "RANK": "3",
    "LOCAL_RANK": "1",
    "MASTER_ADDR": "127.0.0.1",
    "MASTER_PORT": "1",
}


@pytest.fixture(autouse=True)
def whole(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in WHOLE.items():
        monkeypatch.setenv(name, value)


def test_a_process_knows_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    assert world() == World(3, 4, 1)
    monkeypatch.delenv("LOCAL_RANK")
    assert world() == World(3, 4, 0)
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert world() == World()


@pytest.mark.parametrize("name", ["RANK", "MASTER_ADDR", "MASTER_PORT"])
def test_an_incomplete_place_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv(name)
    with pytest.raises(InputError, match=f"^WORLD_SIZE=4: {name} is not set beside it; start"):
        world()


def test_a_place_that_is_no_number_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "first")
    with pytest.raises(InputError, match=r"^RANK=first: it should be a whole number"):
        world()
