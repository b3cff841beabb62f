"""The place of a process is read from torchrun's variables, and incomplete ones are refused."""

from __future__ import annotations

import re

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
    monkeypatch.setenv("RANK", "0")
    assert world() == World()


@pytest.mark.parametrize("name", ["RANK", "MASTER_ADDR", "MASTER_PORT"])
def test_an_incomplete_place_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv(name)
    with pytest.raises(InputError, match=f"^WORLD_SIZE=4: {name} is not set beside it; start"):
        world()


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"RANK": "first"}, "RANK=first: it should be a whole number from 0 to 3 (WORLD_SIZE=4);"),
        ({"RANK": "4"}, "RANK=4: it should be a whole number from 0 to 3 (WORLD_SIZE=4); start"),
        ({"WORLD_SIZE": "0"}, "WORLD_SIZE=0: it should be a whole number from 1; start the"),
        ({"WORLD_SIZE": ""}, "WORLD_SIZE=: it should be a whole number from 1; start the"),
        ({"WORLD_SIZE": "-2"}, "WORLD_SIZE=-2: it should be a whole number from 1; start the"),
        ({"WORLD_SIZE": "01"}, "RANK=3: it should be a whole number from 0 to 0 (WORLD_SIZE=01);"),
        ({"MASTER_PORT": "abc"}, "MASTER_PORT=abc: it should be a whole number from 1 to 65535 ("),
        ({"MASTER_PORT": "65536"}, "MASTER_PORT=65536: it should be a whole number from 1 to 6"),
        ({"LOCAL_RANK": "x"}, "LOCAL_RANK=x: it should be a whole number from 0 (WORLD_SIZE=4);"),
    ],
)
def test_a_place_that_cannot_be_is_refused(
    monkeypatch: pytest.MonkeyPatch, changed: dict[str, str], line: str
) -> None:
    for name, value in changed.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=f"^{re.escape(line)}"):
        world()
