"""The display of a running sweep: a bar on a terminal, plain lines anywhere else."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from experiments.registry.objective import Objective, is_share, most_frequent, shown
from experiments.sweep.deliver_jobs import Delivering
from experiments.sweep.jobs import Job
from experiments.sweep.leader import Leader
from experiments.sweep.outcomes import Outcome, Outcomes, State
from experiments.sweep.progress import Progress

_LOOK_SECONDS = 0.2
_QUIET_SECONDS = 30.0  # after which plain lines tell the progress
_BAR_WIDTH = 40  # characters


class View:
    """Puts the states of the jobs, their progress and the leading setting into words."""

    def __init__(
        self, jobs: Sequence[Job], sweep: Path, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin with the jobs of a plan, finished ones included.

        Args:
            jobs: the jobs; duplicates are left out.
            sweep: the sweep's folder.
            clock: returns the time in seconds.
        """
        self.progress = Progress(jobs, sweep, clock=clock)
        self._jobs = self.progress.jobs
        # As in the verdict: one objective ranks, and not on test images beside validation images.
        self._objective = most_frequent(job.ranked_by for job in self._jobs.values())
        alike = [job for job in self._jobs.values() if job.ranked_by == self._objective]
        ranked = [job for job in alike if job.config.data.validation_size]
        settings = {job.number: job.setting for job in ranked or alike}
        self._leader = Leader(settings, self._objective.sign)
        self._best: dict[Objective, float] = {}
        for job in self._jobs.values():
            if job.kind == "finished" and job.earlier:
                self._is_best(job, job.earlier.objective)
        self._begun: set[int] = set()
        self._clock, self._told_at, self._told = clock, clock(), ""
        self.console = Console(soft_wrap=True, highlight=False)

    def note(self, outcome: Outcome) -> Text:
        """Take in the state of a job; return a line that reports it, with its colour."""
        self._told_at = self._clock()
        self.progress.note(outcome)
        self._begun.add(outcome.number)
        job = self._jobs[outcome.number]
        if outcome.state == "running":
            how = f" ({outcome.reason})" if outcome.reason else ""
            return Text(f"{self._beginning(job.number)}{how}")
        if outcome.state != "finished":
            why = f", {outcome.reason}" if outcome.reason != outcome.state else ""
            colour = "red" if outcome.state == "failed" else ""
            return Text(f"job {job.number}: {outcome.state}{why} ({job.name})", colour)
        value, of = outcome.objective, job.ranked_by
        is_best = self._is_best(job, value)
        colour = "yellow" if not math.isfinite(value) else "green" if is_best else ""
        return Text(f"job {job.number}: finished, {_shown(of, value)}, {job.name}", colour)

    def _is_best(self, job: Job, value: float) -> bool:
        """Take in the value of a finished job; return whether it is better than all before."""
        self._leader.take(job.number, value)
        if math.isnan(value):
            return False
        of = job.ranked_by
        is_best = of not in self._best or of.sign * value > of.sign * self._best[of]
        if is_best:
            self._best[of] = value
        return is_best

    def unseen_beginning(self, outcome: Outcome) -> str | None:
        """Return the line about the beginning of a job that ended between two looks, or None."""
        if outcome.state not in {"finished", "failed"} or outcome.number in self._begun:
            return None
        return self._beginning(outcome.number)

    def _beginning(self, number: int) -> str:
        return f"job {number}: begun, {self._jobs[number].name}"

    def reminder(self) -> str | None:
        """Return the progress if it has changed, but no line has told of it for a while."""
        state = f"{self.progress.fraction} {self.progress}"
        if self._clock() - self._told_at < _QUIET_SECONDS or state == self._told:
            return None
        self._told_at, self._told = self._clock(), state
        return str(self)

    def picture(self) -> Table:
        """Return a bar of the epochs with the words below it, in as many lines as they need."""
        width = min(_BAR_WIDTH, self.console.width)
        table = Table.grid()
        table.add_row(ProgressBar(completed=100 * self.progress.fraction, width=width))
        # The time moves even in the first epoch, so that the sweep is seen to be alive.
        table.add_row(Text(f"{self}, {duration(self.progress.seconds)} so far", overflow="fold"))
        return table

    def __str__(self) -> str:
        progress = self.progress
        told = [f"{progress.ended} of {progress.total} done"]
        states: tuple[State, ...] = ("running", "failed")
        told += [f"{count} {state}" for state in states if (count := progress.count(state))]
        left = progress.seconds_left
        told += [str(progress), self.leader(), f"{duration(left)} left" if left else ""]
        return ", ".join(filter(None, told))

    def leader(self) -> str:
        """Return the setting with the best mean over its finished seeds; empty without any.

        A setting with a diverged seed, or one without a finite value, does not lead.
        """
        lead = self._leader.lead
        if lead is None:
            return ""
        who = "mean" if self._leader.is_alone else f"leading: {lead.name}"
        return f"{who} {_shown(self._objective, lead.mean)} (n={lead.jobs})"


def _shown(objective: Objective, value: float) -> str:
    """Return the value of an objective as text: an accuracy without its name, others with it."""
    if math.isnan(value):
        return "diverged"
    told = shown(objective.name, value)
    return told if is_share(objective.name) else f"{objective.name} {told}"


def duration(seconds: float) -> str:
    """Return a number of seconds as text in seconds, minutes or hours."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _show(view: View, outcome: Outcome) -> None:
    console = view.console
    is_live = console.is_interactive
    if not is_live and (beginning := view.unseen_beginning(outcome)):
        console.print(beginning, markup=False)
    line = view.note(outcome)
    if is_live and outcome.state == "running":
        return
    if not is_live and outcome.state == "finished":
        line.append(f" [{view}]")
    console.print(line)


@contextmanager
def watching(view: View, outcomes: Outcomes, delivering: Delivering) -> Iterator[None]:
    """Show and deliver the outcomes of the jobs until the block ends."""
    ended, console = threading.Event(), view.console
    live = Live(console=console, auto_refresh=False, transient=True)
    is_live = console.is_interactive

    def watch() -> None:
        while True:
            is_last = ended.wait(_LOOK_SECONDS)
            for outcome in outcomes.news(is_last=is_last):
                delivering.note(outcome)
                _show(view, outcome)
            view.progress.look()
            delivering.look()
            if is_live:
                live.update(view.picture(), refresh=True)
            elif reminder := view.reminder():
                console.print(reminder, markup=False)
            if is_last:
                return

    with live if is_live else contextlib.nullcontext():
        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
