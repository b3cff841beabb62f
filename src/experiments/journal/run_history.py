"""The history of a run: what its journal tells up to now, and whether a process still writes it."""

from __future__ import annotations

import fcntl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments.journal.events import NAME, scan


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
