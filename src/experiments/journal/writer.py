"""The journal: all reports of a run, one JSON object a line, in the run's own folder.

The journal is the truth about the run; MLflow gets a copy. Lines are only appended. Each has a
checksum over itself and all lines before it, so that any damage is noticed. The process that writes
the journal holds a lock on it. The system releases the lock when the process ends, even when it is
killed. So the lock tells whether the run is alive.

Version 0.1.0 wrote no checksums. Its journals can be delivered to MLflow; its runs are not resumed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from experiments.errors import unwritable
from experiments.files.safe_writes import open_to_append
from experiments.files.sealed_lines import seal
from experiments.journal.events import NAME as NAME
from experiments.journal.events import Place, damaged, scan
from experiments.redaction.hide import hidden_data

# Ids, addresses and numbers, which programs read unchanged; the other fields are for people.
_EXACT = frozenset(
    {
        "id",
        "identity",
        "store",
        "parent",
        "host",
        "pid",
        "names",
        "metrics",
        "step",
        "folder",
        "redefined",
    }
)
_LOCK_ATTEMPTS, _LOCK_SECONDS = 20, 0.02


class InUseError(Exception):
    """Another process is writing the journal."""


class Journal:
    """Appends events to a run's journal, which it creates if there is none.

    An incomplete last line, left by a killed process, is cut off first.
    """

    def __init__(self, folder: Path) -> None:
        """Open the journal.

        Raises:
            InUseError: another process is writing it.
            InputError: it is damaged, or something else has its name.
            RunError: it cannot be written, such as on a full disk.
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
                time.sleep(_LOCK_SECONDS)  # `is_open` may hold the lock for a moment

    def _last_place(self) -> Place:
        _, end, checksum = scan(self.folder, 0)
        if checksum is None:
            raise damaged(self.folder, "its lines have no checksums")
        return Place(end, checksum)

    def write(self, event: str, **fields: Any) -> None:
        """Append an event and its time (milliseconds since 1970), and hand it to the system.

        Secrets in it are hidden.

        Raises:
            RunError: it cannot be written; the journal then holds no part of the event.
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
            with contextlib.suppress(OSError):  # readers ignore half a line
                self._file.truncate(self.place.end)
            raise unwritable(error, self._path, len(content)) from error
        self.place = Place(self.place.end + len(content), checksum)

    def sync(self) -> None:
        """Return once all events are on the disk.

        Raises:
            RunError: they cannot be written.
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
