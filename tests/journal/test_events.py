"""A journal that was altered at any place is noticed."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from experiments import journal
from experiments.errors import InputError
from experiments.files.sealed_lines import seal
from experiments.journal import Journal
from tests.journal.test_writer import written

Lines = Sequence[bytes]


@pytest.mark.parametrize(
    "altered",
    [
        lambda lines: [lines[0].replace(b"first", b"other"), *lines[1:]],
        lambda lines: [lines[0], lines[1].replace(b"0.5", b"0.9"), lines[2]],
        lambda lines: [*lines[:2], lines[2].replace(b"FINISHED", b"FAILED")],
        lambda lines: lines[1:],
        lambda lines: [lines[0], lines[2]],
        lambda lines: [lines[0], lines[2], lines[1]],
        lambda lines: [lines[0], lines[1], lines[1], lines[2]],
        lambda lines: [lines[0], b"", *lines[1:]],
        lambda lines: [re.sub(rb', "checksum": "\w+"', b"", lines[0]), *lines[1:]],
        lambda lines: [*lines[:2], re.sub(rb', "checksum": "\w+"', b"", lines[2])],
        lambda lines: [*lines, b'{"event": "tags", "tags": {}}'],
        lambda lines: [*lines, b"\xff\xfe"],
    ],
)
def test_a_line_altered_removed_moved_or_added_is_noticed(
    tmp_path: Path, altered: Callable[[Lines], Lines]
) -> None:
    lines = written(tmp_path).splitlines()
    changed = b"".join(line + b"\n" for line in altered(lines))
    (tmp_path / journal.NAME).write_bytes(changed)
    for look in (journal.history, journal.read, Journal):
        with pytest.raises(InputError, match=r"journal.jsonl: is damaged \(.*; restore it, or del"):
            look(tmp_path)
    assert (tmp_path / journal.NAME).read_bytes() == changed


def test_every_single_byte_counts(tmp_path: Path) -> None:
    content, path = written(tmp_path), tmp_path / journal.NAME
    drawn = random.Random(0)
    for place in range(len(content)):
        other = drawn.choice([byte for byte in range(256) if byte != content[place]])
        path.write_bytes(content[:place] + bytes([other]) + content[place + 1 :])
        with pytest.raises(InputError, match="is damaged"):
            journal.history(tmp_path)


@pytest.mark.parametrize("offset", [1, 40, -1, 10_000, 2**80])
def test_an_offset_at_which_no_line_ends_is_noticed(tmp_path: Path, offset: int) -> None:
    written(tmp_path)
    with pytest.raises(InputError, match=r"no line ends at byte|is damaged"):
        journal.read(tmp_path, offset)


OLD = ({"event": "start", "identity": "0"}, {"event": "end", "status": "FINISHED"})


def test_a_journal_of_version_0_1_0_is_read_and_not_continued(tmp_path: Path) -> None:
    lines = [json.dumps(event).encode() + b"\n" for event in OLD]
    (tmp_path / journal.NAME).write_bytes(b"".join(lines))
    past = journal.history(tmp_path)
    assert (past.status, past.is_sealed) == ("FINISHED", False)
    assert journal.read(tmp_path, len(lines[0]))[0] == [OLD[1]]
    with pytest.raises(InputError, match="no checksums"):
        Journal(tmp_path)


@pytest.mark.parametrize(
    "line", [b'{"event": "st#', b"1", b"{}", b"[]", b"null", b"[" * 100_000, b"\xff", b"\0"]
)
def test_a_line_of_version_0_1_0_that_is_no_event_is_said(tmp_path: Path, line: bytes) -> None:
    (tmp_path / journal.NAME).write_bytes(line + b'\n{"event": "start"}\n')
    with pytest.raises(InputError, match="is damaged"):
        journal.history(tmp_path)


@pytest.mark.parametrize(
    "event",
    [
        {"event": "unknown"},
        {"event": []},
        {"event": "metrics", "metrics": {"loss": "0.5"}, "step": 1},
        {"event": "metrics", "metrics": {"loss": 0.5}},
        {"event": "metrics", "metrics": {"loss": 0.5}, "step": 1, "redefined": "loss"},
        {"event": "tags", "tags": []},
        {"event": "artifacts", "names": "config.yaml"},
        {"event": "end"},
    ],
    ids=str,
)
def test_an_unknown_event_is_refused_though_its_checksum_is_right(
    tmp_path: Path, event: dict[str, object]
) -> None:
    (tmp_path / journal.NAME).write_bytes(seal(event, "")[0] + b"\n")
    with pytest.raises(InputError, match="is no event"):
        journal.history(tmp_path)


def test_a_journal_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / journal.NAME).mkdir()
    with pytest.raises(InputError, match="cannot be read"):
        journal.history(tmp_path)
    with pytest.raises(InputError, match="is a folder"):
        Journal(tmp_path)
