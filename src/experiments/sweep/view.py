"""The display of a running sweep: one bar on a terminal, plain lines anywhere else."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from experiments.sweep.deliver_jobs import Delivering
from experiments.sweep.jobs import Job
from experiments.sweep.outcomes import Outcome, Outcomes

_LOOK_SECONDS = 0.2


class View:
    """Counts the jobs by state and puts the counts into words."""

    def __init__(self, jobs: Sequence[Job], *, finished: Sequence[float]) -> None:
        """Begin with the jobs to run and the objectives of the jobs that are already finished."""
        self._jobs: Mapping[int, Job] = {job.number: job for job in jobs}
        self._finished_before = len(finished)
        self.total = len(jobs) + len(finished)
        self._states: dict[int, str] = {}
        numbers = [value for value in finished if not math.isnan(value)]
        self._best, self._begun = max(numbers, default=-math.inf), time.monotonic()
        self.console = Console(soft_wrap=True, highlight=False)

    def note(self, outcome: Outcome) -> str:
        """Take in the state of a job; return a line that reports it."""
        job = self._jobs[outcome.number]
        self._states[job.number] = outcome.state
        if outcome.state == "running":
            how = f" ({outcome.reason})" if outcome.reason else ""
            return f"job {job.number}: begun, {job.name}{how}"
        if outcome.state != "finished":
            why = f", {outcome.reason}" if outcome.reason != outcome.state else ""
            return f"job {job.number}: {outcome.state}{why} ({job.name})"
        if not math.isnan(outcome.objective):
            self._best = max(outcome.objective, self._best)
        return f"job {job.number}: finished, {accuracy(outcome.objective)}, {job.name} [{self}]"

    def __str__(self) -> str:
        states = list(self._states.values())
        running = states.count("running")
        told = [f"{self.done} of {self.total} done"]
        if running:
            told.append(f"{running} running")
        failed = states.count("failed")
        if failed:
            told.append(f"{failed} failed")
        if self._best > -math.inf:
            told.append(f"best {accuracy(self._best)}")
        if left := self._seconds_left():
            told.append(f"{duration(left)} left")
        return ", ".join(told)

    @property
    def done(self) -> int:
        """The number of jobs that have ended in any state."""
        ended = [state for state in self._states.values() if state != "running"]
        return self._finished_before + len(ended)

    def _seconds_left(self) -> float:
        ended = self.done - self._finished_before
        return (time.monotonic() - self._begun) / ended * (self.total - self.done) if ended else 0


def accuracy(value: float) -> str:
    """Return an objective, 0 to 1, as a percentage, or `diverged` for NaN."""
    return "diverged" if math.isnan(value) else f"{100 * value:.2f} %"


def duration(seconds: float) -> str:
    """Return a number of seconds as text in seconds, minutes or hours."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


@contextmanager
def watching(view: View, outcomes: Outcomes, delivering: Delivering) -> Iterator[None]:
    """Show and deliver the outcomes of the jobs until the block ends."""
    ended = threading.Event()

    def watch() -> None:
        task = progress.add_task("", total=view.total)
        while True:
            is_last = ended.wait(_LOOK_SECONDS)
            for outcome in outcomes.news():
                delivering.note(outcome)
                line = view.note(outcome)
                if not (view.console.is_terminal and outcome.state in {"running", "finished"}):
                    view.console.print(line, markup=False)
            delivering.look()
            progress.update(task, completed=view.done, description=str(view))
            if is_last:
                return

    progress = Progress(
        MofNCompleteColumn(),
        BarColumn(20),
        TimeElapsedColumn(),
        TextColumn("{task.description}", markup=False),
        console=view.console,
        transient=True,
        disable=not view.console.is_terminal,
    )
    with progress:
        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
