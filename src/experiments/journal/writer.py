"""The journal: everything a run reports, one JSON object a line, in the run's own folder.

It is the truth about the run; MLflow is told from it. Lines are only ever appended, each sealed
over all before it, so that damage is noticed wherever it is. The process that writes it holds a
lock on it, which the system lets go of however the process ends: so a journal tells whether its run
is alive.

Version 0.1.0 did not seal. Its journals can be read, for MLflow; none of its runs is continued.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from experiments.errors import unwritable
from experiments.files.safe_writes import open_to_append
from experiments.files.sealed_lines import seal
from experiments.journal.events import NAME as NAME
from experiments.journal.events import Place, damaged, scan
from experiments.redaction.hide import hidden_data

# Keys that find a run, and its figures; the rest is for people to read.
_EXACT = frozenset(
    {"id", "identity", "store", "parent", "host", "pid", "names", "metrics", "step", "folder"}
)
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
            InputError: it is damaged, or something else has its name.
            RunError: the disk does not take it.
        """
        self.folder = folder
        self._path = folder / NAME
        self._file = open_to_append(self._path)
        try:
            self._lock()
            self.place = self._last_place()
            self._file.truncate(self.place.end)
        except OSError as error:
            self._file.close()
            raise unwritable(error, self._path) from error
        except BaseException:
            self._file.close()
            raise

    def _lock(self) -> None:
        for attempts_left in reversed(range(_LOCK_ATTEMPTS)):
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not attempts_left:
                    raise InUseError(self.folder) from None
                time.sleep(_LOCK_SECONDS)  # perhaps somebody only looks whether it is alive

    def _last_place(self) -> Place:
        _, end, checksum = scan(self.folder, 0)
        if checksum is None:
            raise damaged(self.folder, "its lines have no checksums")
        return Place(end, checksum)

    def write(self, event: str, **fields: Any) -> None:
        """Append an event with the time in milliseconds since 1970, and hand it to the system.

        Secrets in it are hidden.

        Raises:
            RunError: the disk does not take it; no part of the event is left in the journal.
        """
        shown = {key: hidden_data(value) for key, value in fields.items() if key not in _EXACT}
        told = {"event": event, "time": time.time_ns() // 1_000_000, **fields, **shown}
        line, checksum = seal(told, self.place.checksum)
        content = line + b"\n"
        try:
            written = self._file.write(content)
            if written != len(content):  # the disk took a part of it
                self._file.write(content[written:])
        except OSError as error:
            with contextlib.suppress(OSError):  # half a line is none, if that fails as well
                self._file.truncate(self.place.end)
            raise unwritable(error, self._path, len(content)) from error
        self.place = Place(self.place.end + len(content), checksum)

    def sync(self) -> None:
        """Return once all events are on the disk.

        Raises:
            RunError: the disk does not take them.
        """
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise unwritable(error, self._path) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.sync()
        finally:
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
        InputError: it cannot be read, a line is damaged, or none ends at the offset.
    """
    events, end, _ = scan(folder, offset)
    return events, end


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
    is_sealed: bool = True
    """whether its lines have checksums; those of version 0.1.0 have none"""

    @property
    def metrics(self) -> dict[str, float]:
        """The last value of every metric."""
        return {key: value for (key, _), value in sorted(self.points.items())}


def history(folder: Path) -> History:
    """Return what the folder's journal tells; a history without a start where there is none.

    Raises:
        InputError: the journal is damaged.
    """
    events, _, checksum = scan(folder, 0) if (folder / NAME).exists() else ([], 0, "")
    told: dict[str, Any] = {"is_sealed": checksum is not None}
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
