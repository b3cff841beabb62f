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
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from experiments.files.safe_writes import write_atomically
from experiments.redaction.hide import hidden

_FOLDER, _FAILED, _LANES = ".jobs", "failed", ".lanes"
_TOGETHER = 1000  # outcomes in a folder, so that a look for news lists few of a large sweep's files
_STILL_LOOKS = 5  # after which an unchanged folder is not listed; clocks of file systems are coarse

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

    def __init__(self, sweep_folder: Path, turn: str) -> None:
        self.sweep = sweep_folder
        self._folder = sweep_folder / _FOLDER / turn
        self._seen: dict[int, tuple[int, int]] = {}
        self._finished: set[int] = set()
        self._still: dict[
            str, tuple[int, int]
        ] = {}  # the time of each folder, and looks since then

    def begin(self) -> None:
        """Begin a turn and drop the outcomes of the last one, which the runs' journals hold too."""
        shutil.rmtree(self._folder.parent, ignore_errors=True)
        self._folder.mkdir(parents=True)

    def write(self, outcome: Outcome) -> None:
        """Write the state of a job to its file.

        Raises:
            FileNotFoundError: the turn is over.
            RunError: the file cannot be written.
        """
        if not self._folder.exists():
            raise FileNotFoundError(self._folder)
        if outcome.state == "failed":
            (self._folder / _FAILED).touch()
        told = asdict(outcome) | {"reason": hidden(outcome.reason)}
        path = self._path(outcome.number, ".json")
        path.parent.mkdir(exist_ok=True)
        write_atomically(path, json.dumps(told).encode())

    def keep_lanes(self, number: int, overrides: Sequence[Sequence[str]]) -> None:
        """Keep the overrides of the other lanes of a job that is launched for a whole stack.

        A launcher may send each job its function, which must not hold the lanes of all stacks.

        Raises:
            RunError: the file cannot be written.
        """
        path = self._path(number, _LANES)
        if overrides:
            path.parent.mkdir(exist_ok=True)
            write_atomically(path, json.dumps([list(each) for each in overrides]).encode())
        else:
            path.unlink(missing_ok=True)  # of a stack that was launched before

    def lanes(self, number: int) -> list[list[str]]:
        """Return the overrides of the other lanes that a job is launched for; empty without any."""
        try:
            kept: list[list[str]] = json.loads(self._path(number, _LANES).read_text())
        except FileNotFoundError:
            return []
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

    def news(self) -> list[Outcome]:
        """Return the outcomes that have changed since the last call, in the order of time."""
        changed = [number for folder in self._moving() for number in self._changed_in(folder)]
        found = [outcome for number in changed if (outcome := self.read(number))]
        self._finished |= {each.number for each in found if each.state == "finished"}
        return sorted(found, key=lambda outcome: outcome.time)

    def _moving(self) -> Iterator[str]:
        """Yield the folders of outcomes that may have changed since the last look."""
        with os.scandir(self._folder) as entries:
            folders = [entry for entry in entries if entry.name != _FAILED]
        for folder in folders:
            changed_at = folder.stat().st_mtime_ns
            before, known = self._still.get(folder.path, (0, 0))
            looks = known + 1 if changed_at == before else 0
            self._still[folder.path] = changed_at, looks
            if looks < _STILL_LOOKS:
                yield folder.path

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

    def _path(self, number: int, kind: str) -> Path:
        return self._folder / str(number // _TOGETHER) / f"{number}{kind}"

    @property
    def any_failed(self) -> bool:
        """Whether a job has failed."""
        return (self._folder / _FAILED).exists()
