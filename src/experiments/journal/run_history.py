"""The history of a run: its journal up to now, and whether a process still writes it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments.journal.events import ADDITIONS, NAME, redefined_by, scan

# Folders of MLflow, of a run and of a sweep that hold no runs below them.
_NO_RUNS_BELOW = frozenset({"artifacts", "checkpoints", ".deleted", ".identities", ".jobs"})


def is_open(folder: Path) -> bool:
    """Return whether a process is writing the folder's journal.

    Raises:
        OSError: there is no journal, or it cannot be opened.
    """
    with (folder / NAME).open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def folders(below: Path, on_error: Callable[[OSError], object] | None = None) -> Iterator[Path]:
    """Yield the folders with a journal, in the order of their names.

    Args:
        below: the folder to look through.
        on_error: is called with the error of each folder that cannot be read; None raises it.

    Raises:
        OSError: a folder cannot be read.
    """
    try:
        with os.scandir(below) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        if on_error is None:
            raise
        on_error(error)
        return
    if any(entry.name == NAME for entry in found):
        yield below
    for entry in found:
        if not entry.is_dir(follow_symlinks=False):
            continue
        path = below / entry.name
        if entry.name not in _NO_RUNS_BELOW or (path / NAME).exists():
            yield from folders(path, on_error)


def read(folder: Path, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
    """Return the events from a byte offset on, and the offset behind the last whole line.

    Raises:
        InputError: the journal cannot be read or is damaged, or no line ends at the offset.
    """
    events, end, _ = scan(folder, offset)
    return events, end


@dataclass(frozen=True)
class History:
    """The state of a run, as its journal describes it up to now."""

    folder: Path
    start: Mapping[str, Any] = field(default_factory=dict)
    """the event that began the run; empty if there is no run yet"""
    host: str = ""
    pid: int = 0
    """the id, on `host`, of the process that trained last"""
    store: str | None = None
    """the address of its MLflow store; None if the run is not tracked"""
    status: str | None = None
    """the status at the run's end; None while it is trained, and after a kill"""
    changed: int = 0
    """the time of the last event, in milliseconds since 1970; files and tags that were added after
    the end, such as a report, do not count"""
    points: Mapping[tuple[str, int], float] = field(default_factory=dict)
    """the value of every metric by its key and step, without points of an earlier definition"""
    tags: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    """the parameters that the user's code has logged; those of the configuration are in `start`"""
    artifacts: frozenset[str] = frozenset()
    is_sealed: bool = True
    """whether its lines have checksums; version 0.1.0 wrote none"""

    @property
    def metrics(self) -> dict[str, float]:
        """The last value of every metric."""
        return last_values(self.points)


def history(folder: Path) -> History:
    """Return the history of the folder's run; it has no `start` if there is no journal.

    Raises:
        InputError: the journal is damaged.
    """
    events, _, checksum = scan(folder, 0) if (folder / NAME).exists() else ([], 0, "")
    told: dict[str, Any] = {"is_sealed": checksum is not None}
    points: dict[tuple[str, int], float] = {}
    tags: dict[str, str] = {}
    params: dict[str, str] = {}
    artifacts: set[str] = set()
    for event in events:
        if event["event"] not in ADDITIONS or told.get("status") is None:
            told["changed"] = event.get("time", 0)
        _forget(points, redefined_by(event))
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
            case "params":
                params |= event["params"]
            case "artifacts":
                artifacts |= set(event["names"])
            case "end":
                told["status"] = event["status"]
    told |= {"tags": tags, "params": params, "artifacts": frozenset(artifacts)}
    return History(folder, points=points, **told)


def _forget(points: dict[tuple[str, int], float], keys: Collection[str]) -> None:
    for point in [each for each in points if each[0] in keys] if keys else ():
        del points[point]


def last_values(points: Mapping[tuple[str, int], float]) -> dict[str, float]:
    """Return the last value of every metric, from values by key and step."""
    return {key: value for (key, _), value in sorted(points.items())}
