"""The progress of a sweep's jobs in epochs, from the journals of the jobs on this machine."""

from __future__ import annotations

import math
import platform
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from experiments import journal
from experiments.errors import InputError
from experiments.run.lines import loss
from experiments.sweep.jobs import Job
from experiments.sweep.outcomes import Outcome, State

# Jobs in other states are launched again, or the sweep has been stopped.
_ENDED: frozenset[State] = frozenset({"finished", "failed", "held back"})


class _Epochs:
    """The epochs of one job, as its journal reports them."""

    def __init__(self, job: Job, sweep: Path) -> None:
        self._folder = job.folder(sweep)
        self._journal = self._folder / journal.NAME
        self._size, self._offset = 0, 0  # bytes
        self.total = job.config.trainer.epochs
        self.done = 0
        self.loss = math.nan

    def look(self) -> None:
        """Read the new events of the journal, if it has grown; leave damage to the delivery."""
        try:
            size = self._journal.stat().st_size
        except OSError:  # the job has yet to create it
            return
        if size == self._size:
            return
        self._size = size
        try:
            events, self._offset = journal.read(self._folder, self._offset)
        except InputError:
            return
        for event in events:
            if event["event"] == "metrics" and "train_loss" in event["metrics"]:
                self.done = max(self.done, event["step"])
                self.loss = event["metrics"]["train_loss"]


class Progress:
    """The states of a sweep's jobs, their epochs, and the time left.

    Sums are kept and change with one job at a time, so that no report of a job costs more in a
    larger sweep.
    """

    def __init__(
        self, jobs: Sequence[Job], sweep: Path, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin with the jobs of a plan, finished ones included.

        Args:
            jobs: the jobs; duplicates are left out.
            sweep: the sweep's folder.
            clock: returns the time in seconds.
        """
        self._clock, self._begun = clock, clock()
        self.jobs = {job.number: job for job in jobs if job.twin is None}
        own = self.jobs.values()
        self._states: dict[int, State | None] = {
            job.number: "finished" if job.kind == "finished" else None for job in own
        }
        self._epochs = {job.number: _Epochs(job, sweep) for job in own}
        self._counts = Counter(self._states.values())
        self._total = sum(epochs.total for epochs in self._epochs.values())
        self._shares: dict[int, tuple[int, int]] = {}
        self._trained = self._left = 0
        self._here: set[int] = set()
        for job in own:
            if job.kind == "to resume":
                self._epochs[job.number].look()
            self._sum_up(job.number)
        self._at_first = self._trained

    def note(self, outcome: Outcome) -> None:
        """Take in the state of a job."""
        number = outcome.number
        self._counts[self._states[number]] -= 1
        self._counts[outcome.state] += 1
        self._states[number] = outcome.state
        if outcome.state == "running" and outcome.host == platform.node():
            self._here.add(number)
        elif number in self._here:
            self._here.remove(number)
            self._epochs[number].look()
        self._sum_up(number)

    def look(self) -> None:
        """Read the new reports of the running jobs on this machine."""
        for number in self._here:
            self._epochs[number].look()
            self._sum_up(number)

    @property
    def total(self) -> int:
        """The number of jobs."""
        return len(self._states)

    def count(self, *states: State) -> int:
        """Return the number of jobs in any of the states."""
        return sum(self._counts[state] for state in states)

    @property
    def ended(self) -> int:
        """The number of jobs that this turn does not launch again."""
        return self.count(*_ENDED)

    @property
    def fraction(self) -> float:
        """The epochs of all jobs that are done, as a fraction of all epochs, 0 to 1."""
        return 1 - self._left / max(1, self._total)

    @property
    def seconds(self) -> float:
        """The seconds since the beginning."""
        return self._clock() - self._begun

    @property
    def seconds_left(self) -> float | None:
        """The seconds left at the pace since the beginning; None before the first epoch's end."""
        gained = self._trained - self._at_first
        return self.seconds / gained * self._left if gained > 0 else None

    def _sum_up(self, number: int) -> None:
        """Count the epochs of a job anew; one that ended early adds only the epochs before that."""
        epochs, state = self._epochs[number], self._states[number]
        trained = epochs.done or (epochs.total if state == "finished" else 0)
        left = 0 if state in _ENDED else max(0, epochs.total - epochs.done)
        before = self._shares.get(number, (0, 0))
        self._shares[number] = trained, left
        self._trained += trained - before[0]
        self._left += left - before[1]

    def __str__(self) -> str:
        """Return the epochs and losses of the running jobs in words; empty before the first."""
        running = [self._epochs[number] for number in self._here if self._epochs[number].done]
        if not running:
            return ""
        done, totals = ({getattr(each, name) for each in running} for name in ("done", "total"))
        losses = [each.loss for each in running if math.isfinite(each.loss)]
        told = f"epoch {_span(map(str, sorted(done)))} of {_span(map(str, sorted(totals)))}"
        return f"{told}, loss {_span(map(loss, sorted(losses)))}" if losses else told


def _span(values: Iterable[str]) -> str:
    """Return the first and the last of some values in words, once if they are the same."""
    first, *_, last = [*values] * 2
    return first if first == last else f"{first} to {last}"
