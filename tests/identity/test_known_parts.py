"""The memory of computing parts gives what the syntax trees give, and is made anew if damaged."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from experiments.identity import known_parts
from experiments.identity.computing_part import computing_part
from experiments.identity.known_parts import KnownParts

TEXTS = (b"x = 1\n", b'"""Text."""\nx = 2  # why\n')


def told() -> list[bytes]:
    parts = KnownParts()
    found = [parts.sha256_of(text) for text in TEXTS]
    parts.keep()
    return found


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "parts.json"
    monkeypatch.setattr(known_parts, "_file", lambda: file)
    return file


RIGHT = [hashlib.sha256(computing_part(text)).digest() for text in TEXTS]


def test_the_memory_gives_the_same_without_syntax_trees(
    memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert told() == RIGHT
    monkeypatch.setattr("experiments.identity.computing_part.computing_part", None)
    assert told() == RIGHT
    assert [file.name for file in memory.parent.iterdir()] == [memory.name]


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: "",
        lambda text: text[:-9],
        lambda _: "[]",
        lambda text: json.dumps({**json.loads(text), "parts": {"a": "b"}}),
        lambda text: json.dumps({**json.loads(text), "parts": [1]}),
        lambda text: text,
    ],
    ids=["empty", "short", "list", "no hash", "no map", "another part"],
)
def test_a_damaged_or_old_memory_is_made_anew(memory: Path, damage) -> None:
    told()
    whole = memory.read_text()
    wrong = json.loads(whole)
    wrong["parts"] = dict.fromkeys(wrong["parts"], "0" * 64)
    memory.write_text(damage(json.dumps(wrong)))
    assert told() == RIGHT
    assert memory.read_text() == whole


def test_contents_that_are_gone_are_forgotten(memory: Path) -> None:
    told()
    parts = KnownParts()
    parts.sha256_of(TEXTS[0])
    parts.keep()
    assert list(json.loads(memory.read_text())["parts"]) == [hashlib.sha256(TEXTS[0]).hexdigest()]


def test_a_place_where_nobody_may_write_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_parts, "_file", lambda: tmp_path / "gone" / "parts.json")
    assert told() == RIGHT


def test_python_without_bytecode_has_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    assert known_parts._file() is None
    assert told() == RIGHT
