"""The journal: everything a run reports, one JSON object a line, in the run's own folder.

It is the truth about the run; MLflow is told from it. Lines are only ever appended. The process
that writes it holds a lock on it, which the system lets go of however the process ends: so a
journal tells whether its run is alive.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from experiments.errors import InputError, no_space
from experiments.redaction import hidden_data

NAME = "journal.jsonl"
# What a run is found by, and its figures; the rest is for people to read.
_EXACT = frozenset({"id", "identity", "store", "parent", "host", "pid", "names", "metrics", "step"})
_LOCK_ATTEMPTS, _LOCK_SECONDS = 20, 0.02


class InUseError(Exception):
    """Another process is writing the journal."""


class Journal:
    """Appends events to a run's journal, which it creates where there is none.

    A line that the last process left half written is cut off first.
    """

    def __init__(self, folder: Path) -> None:
        """Open the journal.

        Raises:
            InUseError: another process is writing it.
        """
        self.folder = folder
        self._file = (folder / NAME).open("ab", buffering=0)
        for attempts_left in reversed(range(_LOCK_ATTEMPTS)):
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not attempts_left:
                    self._file.close()
                    raise InUseError(folder) from None
                time.sleep(_LOCK_SECONDS)  # perhaps somebody only looks whether it is alive
        _, whole = read(folder)
        self._file.truncate(whole)

    def write(self, event: str, **fields: Any) -> None:
        """Append an event with the time in milliseconds since 1970, and hand it to the system.

        Secrets in it are hidden.

        Raises:
            RunError: the disk is full; no part of the event is left in the journal.
        """
        told = {key: hidden_data(value) for key, value in fields.items() if key not in _EXACT}
        line = json.dumps({"event": event, "time": time.time_ns() // 1_000_000, **fields, **told})
        content = f"{line}\n".encode()
        before = os.fstat(self._file.fileno()).st_size
        try:
            written = self._file.write(content)
            if written != len(content):  # the disk took a part of it
                self._file.write(content[written:])
        except OSError as error:
            self._file.truncate(before)
            raise no_space(error, self.folder / NAME, len(content)) from error

    def sync(self) -> None:
        """Return once all events are on the disk."""
        os.fsync(self._file.fileno())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.sync()
        self._file.close()


def is_open(folder: Path) -> bool:
    """Return whether a process is writing the folder's journal."""
    with (folder / NAME).open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def read(folder: Path, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
    """Return the events from a byte offset on, and the offset behind the last whole line.

    Raises:
        InputError: a whole line is damaged.
    """
    with (folder / NAME).open("rb") as file:
        file.seek(offset)
        content = file.read()
    whole = content[: content.rfind(b"\n") + 1]
    try:
        events = [json.loads(line) for line in whole.splitlines()]
        for event in events:
            if not isinstance(event, dict) or "event" not in event:
                raise ValueError(f"{str(event)[:40]} is no event")  # noqa: TRY301
        return events, offset + len(whole)
    except ValueError as error:
        raise InputError(
            f"{folder / NAME}: is damaged ({error}); restore it, or delete {folder} to train anew"
        ) from error


@dataclass(frozen=True)
class History:
    """What a journal tells of its run up to now."""

    folder: Path
    start: Mapping[str, Any] = field(default_factory=dict)
    """the event that the run was begun with; empty where there is no run yet"""
    host: str = ""
    pid: int = 0
    """the process that trained last"""
    store: str | None = None
    """where it is tracked; None for nowhere"""
    status: str | None = None
    """how the run ended; None while it goes on, and after a kill"""
    points: Mapping[tuple[str, int], float] = field(default_factory=dict)
    """every metric by its key and step"""
    tags: Mapping[str, str] = field(default_factory=dict)
    artifacts: frozenset[str] = frozenset()

    @property
    def metrics(self) -> dict[str, float]:
        """The last value of every metric."""
        return {key: value for (key, _), value in sorted(self.points.items())}


def history(folder: Path) -> History:
    """Return what the folder's journal tells; a history without a start where there is none.

    Raises:
        InputError: the journal is damaged.
    """
    events, _ = read(folder) if (folder / NAME).exists() else ([], 0)
    told: dict[str, Any] = {}
    points: dict[tuple[str, int], float] = {}
    tags: dict[str, str] = {}
    artifacts: set[str] = set()
    for event in events:
        match event["event"]:
            case "start" | "continue" as turn:
                told |= {"status": None, "host": event.get("host", ""), "pid": event.get("pid", 0)}
                told["store"] = event.get("store") or told.get("store")
                if turn == "start":
                    told["start"] = event
            case "metrics":
                points |= {(key, event["step"]): value for key, value in event["metrics"].items()}
            case "tags":
                tags |= event["tags"]
            case "artifacts":
                artifacts |= set(event["names"])
            case "end":
                told["status"] = event["status"]
    return History(folder, points=points, tags=tags, artifacts=frozenset(artifacts), **told)
