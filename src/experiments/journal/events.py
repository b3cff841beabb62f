"""Events: the lines of a journal, read and checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from experiments.errors import InputError, unreadable
from experiments.files.sealed_lines import TAIL_BYTES, checksum_of, reaches_beyond, unseal

NAME = "journal.jsonl"

ADDITIONS = frozenset({"artifacts", "metrics", "tags"})
"""the events that may follow a run's end without beginning it again, such as a report, a name or a
metric that was measured later"""


@dataclass(frozen=True)
class Place:
    """The end of a journal at some moment, to recognise the same journal later."""

    end: int
    """the journal's size, in bytes"""
    checksum: str
    """of the last line, and so of all lines; empty for an empty journal"""


def redefined_by(event: Mapping[str, Any]) -> frozenset[str]:
    """Return the keys of metrics whose earlier points no longer count.

    These are of another definition of the metric. The journal keeps them, as it keeps all.
    """
    return frozenset(event.get("redefined", ()))


def passes(folder: Path, place: Place) -> bool:
    """Return whether the folder's journal once ended at a place."""
    with (folder / NAME).open("rb") as file:
        try:
            return _checksum_at(file, place.end) == place.checksum
        except (ValueError, OverflowError):
            return False


def end_of(folder: Path) -> Place:
    """Return the present end of the folder's journal, without half a line; for a closed journal.

    Raises:
        InputError: the journal cannot be read or is damaged.
    """
    _, end, checksum = scan(folder, 0)
    return Place(end, checksum or "")


def scan(folder: Path, offset: int) -> tuple[list[dict[str, Any]], int, str | None]:
    """Return the events from a byte offset on.

    Returns:
        The events, the offset behind the last whole line, and the last event's checksum, which is
        None if the journal is not sealed.

    Raises:
        InputError: the journal cannot be read or is damaged, or no line ends at the offset.
    """
    try:
        with (folder / NAME).open("rb") as file:
            before = _checksum_at(file, offset)
            content = file.read()
        whole, end_of_line, torn = content.rpartition(b"\n")
        if reaches_beyond(torn):
            raise ValueError("the last line does not end")  # noqa: TRY301
        if offset == 0 and whole and checksum_of(whole.partition(b"\n")[0]) is None:
            before = None
        events = []
        for line in whole.split(b"\n") if end_of_line else ():
            event, before = _event(line, before)
            events.append(event)
    except OSError as error:
        raise unreadable(error, folder / NAME) from error
    except (ValueError, OverflowError, RecursionError) as error:
        raise damaged(folder, str(error)) from error
    return events, offset + len(content) - len(torn), before


def damaged(folder: Path, reason: str) -> InputError:
    """Return the error to raise if a folder's journal was altered."""
    return InputError(
        f"{folder / NAME}: is damaged ({reason}); restore it, or delete {folder} to train anew"
    )


def _checksum_at(file: IO[bytes], end: int) -> str | None:
    """Return the checksum of the line that ends at a byte; None if the line is not sealed.

    Afterwards the file stands at that byte.

    Raises:
        ValueError: no line ends there.
    """
    file.seek(max(0, end - TAIL_BYTES - 1))
    before = file.read(end - file.tell())
    if end and not (file.tell() == end and before.endswith(b"\n")):
        raise ValueError(f"no line ends at byte {end}, where the last read ended")
    return checksum_of(before[:-1]) if end else ""


def _event(line: bytes, before: str | None) -> tuple[dict[str, Any], str | None]:
    """Return the event of a line and the line's checksum."""
    checksum = checksum_of(line)
    if before is not None:
        event = unseal(line, before)
    elif checksum is None:
        event = json.loads(line)
    else:
        raise ValueError("a line without a checksum comes before a line with one")
    if not _is_event(event):
        raise ValueError(f"{str(event)[:40]} is no event")
    return event, checksum


def _is_event(event: object) -> bool:
    match event:
        case {"redefined": keys} if not _are_texts(keys):
            return False
        case {"event": "start" | "continue"}:
            return True
        case {"event": "metrics", "metrics": dict(metrics), "step": int()}:
            return all(isinstance(value, int | float) for value in metrics.values())
        case {"event": "tags", "tags": dict(tags)}:
            return all(isinstance(value, str) for value in tags.values())
        case {"event": "params", "params": dict(params)}:
            return all(isinstance(value, str) for value in params.values())
        case {"event": "artifacts", "names": list(names)}:
            return all(isinstance(name, str) for name in names)
        case {"event": "end", "status": str()}:
            return True
    return False


def _are_texts(keys: object) -> bool:
    return isinstance(keys, list) and all(isinstance(key, str) for key in keys)
