"""What became of each job: a small file per job in the sweep's folder, written by whoever runs it.

So the sweep knows how its jobs stand on whatever launcher and machine they run, while they run, and
after a worker died without a word.
"""

from __future__ import annotations

import json
import math
import os
import platform
import shutil
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from experiments.files.safe_writes import write_atomically
from experiments.redaction.hide import hidden

_FOLDER, _FAILED = ".jobs", "failed"

State = Literal["running", "finished", "failed", "interrupted", "in use", "held back"]


@dataclass(frozen=True)
class Outcome:
    """How a job stands."""

    number: int
    state: State
    reason: str = ""
    """why it is not finished, in one line"""
    objective: float = math.nan
    """what the job returned"""
    time: float = field(default_factory=time.time)
    host: str = field(default_factory=platform.node)


class Outcomes:
    """The outcomes of a sweep's jobs in one turn; a sweep that is restarted has another."""

    def __init__(self, sweep_folder: Path, turn: str) -> None:
        self._folder = sweep_folder / _FOLDER / turn
        self._seen: dict[int, int] = {}

    def begin(self) -> None:
        """Begin a turn; what the last one knew is in the runs' journals."""
        shutil.rmtree(self._folder.parent, ignore_errors=True)
        self._folder.mkdir(parents=True)

    def write(self, outcome: Outcome) -> None:
        """Note how a job stands.

        Raises:
            FileNotFoundError: the turn is over.
            RunError: the disk does not take it.
        """
        if not self._folder.exists():
            raise FileNotFoundError(self._folder)
        if outcome.state == "failed":
            (self._folder / _FAILED).touch()
        told = asdict(outcome) | {"reason": hidden(outcome.reason)}
        content = json.dumps(told).encode()
        write_atomically(self._folder / f"{outcome.number}.json", content)

    def read(self, number: int) -> Outcome | None:
        """Return how a job stands; None for one that has not begun."""
        try:
            return Outcome(**json.loads((self._folder / f"{number}.json").read_text()))
        except FileNotFoundError:
            return None

    def all(self) -> dict[int, Outcome]:
        """Return how all jobs stand that have begun."""
        numbers = [int(file.stem) for file in self._folder.glob("*.json")]
        return {number: found for number in numbers if (found := self.read(number))}

    def news(self) -> list[Outcome]:
        """Return what has changed since the last call, in the order of time."""
        changed = []
        with os.scandir(self._folder) as entries:
            for entry in entries:
                name, _, kind = entry.name.partition(".")
                if kind == "json" and self._seen.get(int(name)) != entry.stat().st_mtime_ns:
                    self._seen[int(name)] = entry.stat().st_mtime_ns
                    changed.append(int(name))
        found = [outcome for number in changed if (outcome := self.read(number))]
        return sorted(found, key=lambda outcome: outcome.time)

    @property
    def any_failed(self) -> bool:
        """Whether a job has failed."""
        return (self._folder / _FAILED).exists()
