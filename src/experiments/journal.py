"""The journal: everything a run reports, one JSON object a line, in the run's own folder.

It is the truth about the run; MLflow is told from it. Lines are only ever appended.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

NAME = "journal.jsonl"


class Journal:
    """Appends events to a new journal."""

    def __init__(self, folder: Path) -> None:
        """Create the journal.

        Raises:
            FileExistsError: the folder belongs to another run.
        """
        self._file = (folder / NAME).open("x", encoding="utf-8")
        fcntl.flock(self._file, fcntl.LOCK_EX)  # the system lets go of it however the process ends

    def write(self, event: str, **fields: Any) -> None:
        """Append an event with the time in milliseconds since 1970, and hand it to the system."""
        line = json.dumps({"event": event, "time": time.time_ns() // 1_000_000, **fields})
        self._file.write(line + "\n")
        self._file.flush()

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
    """Return whether a process on this machine is writing the folder's journal."""
    with (folder / NAME).open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def read(folder: Path, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
    """Return the events from a byte offset on, and the offset behind the last whole line."""
    with (folder / NAME).open("rb") as file:
        file.seek(offset)
        content = file.read()
    whole = content[: content.rfind(b"\n") + 1]
    return [json.loads(line) for line in whole.splitlines()], offset + len(whole)
