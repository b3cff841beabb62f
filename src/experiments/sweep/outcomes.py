"""The outcome of each job: a small file in the sweep's folder, written by the process that runs it.

So the sweep knows the state of its jobs on every launcher and machine, while they run and after a
worker has died.
"""

from __future__ import annotations

import json
import math
import os
import platform
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from experiments.errors import unreadable, unwritable
from experiments.files.safe_writes import make_folder, write_atomically
from experiments.redaction.hide import hidden

_FOLDER, _FAILED, _LANES = ".jobs", "failed", ".lanes"
_TOGETHER = 1000  # outcomes in a folder, so that a look for news lists few of a large sweep's files
# An unchanged folder is listed for so long: clocks of file systems are coarse, and NFS keeps what
# it knows of a folder for up to a minute.
_STILL_SECONDS = 60.0

State = Literal["running", "finished", "failed", "interrupted", "in use", "held back"]


@dataclass(frozen=True)
class Outcome:
    """The state of a job, and its objective once it has finished."""

    number: int
    state: State
    reason: str = ""
    """the reason why it is not finished, in one line"""
    objective: float = math.nan
    """the value that the job returned; NaN if it diverged or has not finished"""
    time: float = field(default_factory=time.time)
    """seconds since the epoch"""
    host: str = field(default_factory=platform.node)


class Outcomes:
    """The outcomes of a sweep's jobs in one turn; each command that runs the sweep is a turn."""

    def __init__(
        self, sweep_folder: Path, turn: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self.sweep = sweep_folder
        self._folder = sweep_folder / _FOLDER / turn
        self._seen: dict[int, tuple[int, int]] = {}
        self._finished: set[int] = set()
        self._still: dict[str, tuple[int, float]] = {}
        """the time of change of each folder, and when that was seen first"""

    def begin(self) -> None:
        """Begin a turn and drop the outcomes of the last one, which the runs' journals hold too.

        Raises:
            InputError: something of the user's is in the way.
            RunError: the folder cannot be made.
        """
        shutil.rmtree(self._folder.parent, ignore_errors=True)
        make_folder(self._folder)

    def write(self, outcome: Outcome) -> None:
        """Write the state of a job to its file.

        Raises:
            FileNotFoundError: the turn is over.
            InputError: something of the user's is in the way.
            RunError: the file cannot be written.
        """
        if not self._folder.exists():
            raise FileNotFoundError(self._folder)
        if outcome.state == "failed":
            with _refused(self._folder / _FAILED) as mark:
                mark.touch()
        told = asdict(outcome) | {"reason": hidden(outcome.reason)}
        self._write(self._path(outcome.number, ".json"), told)

    def keep_lanes(self, number: int, overrides: Sequence[Sequence[str]]) -> None:
        """Keep the overrides of the other lanes of a job that is launched for a whole stack.

        A launcher may send each job its function, which must not hold the lanes of all stacks.

        Raises:
            InputError: something of the user's is in the way.
            RunError: the file cannot be written.
        """
        self._write(self._path(number, _LANES), [list(each) for each in overrides])

    def lanes(self, number: int) -> list[list[str]]:
        """Return the overrides of the other lanes that a job is launched for; empty without any.

        Raises:
            InputError: the file cannot be read; a job without other lanes has one too.
        """
        path = self._path(number, _LANES)
        try:
            kept: list[list[str]] = json.loads(path.read_text())
        except OSError as error:
            raise unreadable(error, path) from error
        return kept

    def read(self, number: int) -> Outcome | None:
        """Return the outcome of a job; None if it has not begun."""
        try:
            return Outcome(**json.loads(self._path(number, ".json").read_text()))
        except FileNotFoundError:
            return None

    def all(self) -> dict[int, Outcome]:
        """Return the outcomes of all jobs that have begun, by number."""
        numbers = [int(file.stem) for file in self._folder.glob("*/*.json")]
        return {number: found for number in numbers if (found := self.read(number))}

    def news(self, *, is_last: bool = False) -> list[Outcome]:
        """Return the outcomes that have changed since the last call, in the order of time.

        Args:
            is_last: whether nobody looks again, so that each folder is listed.
        """
        folders = [path for path, is_still in self._folders() if is_last or not is_still]
        changed = [number for folder in folders for number in self._changed_in(folder)]
        found = [outcome for number in changed if (outcome := self.read(number))]
        self._finished |= {each.number for each in found if each.state == "finished"}
        return sorted(found, key=lambda outcome: outcome.time)

    def _folders(self) -> Iterator[tuple[str, bool]]:
        """Yield each folder of outcomes, and whether it has been unchanged for long."""
        with os.scandir(self._folder) as entries:
            folders = [entry for entry in entries if entry.name != _FAILED]
        for folder in folders:
            changed_at = folder.stat().st_mtime_ns
            before, seen_at = self._still.get(folder.path, (0, 0.0))
            if changed_at != before:
                seen_at = self._clock()
                self._still[folder.path] = changed_at, seen_at
            yield folder.path, self._clock() - seen_at > _STILL_SECONDS

    def _changed_in(self, folder: str) -> Iterator[int]:
        """Yield the numbers of the outcomes in a folder that have changed since the last look."""
        with os.scandir(folder) as entries:
            for entry in entries:
                name, _, kind = entry.name.partition(".")
                if kind != "json" or int(name) in self._finished:  # a finished job stays finished
                    continue
                # Two writes may share a time, because clocks of file systems are coarse.
                version = entry.stat().st_mtime_ns, entry.inode()
                if self._seen.get(int(name)) != version:
                    self._seen[int(name)] = version
                    yield int(name)

    def _write(self, path: Path, content: object) -> None:
        with _refused(path.parent) as folder:  # no folder above it: the turn may be over
            folder.mkdir(exist_ok=True)
        write_atomically(path, json.dumps(content).encode())

    def _path(self, number: int, kind: str) -> Path:
        return self._folder / str(number // _TOGETHER) / f"{number}{kind}"

    @property
    def any_failed(self) -> bool:
        """Whether a job has failed."""
        return (self._folder / _FAILED).exists()


@contextmanager
def _refused(path: Path) -> Iterator[Path]:
    """Say in one line why the system refuses to write a path; if it lacks, the turn is over."""
    try:
        yield path
    except FileNotFoundError:
        raise
    except OSError as error:
        raise unwritable(error, path) from error
