"""The jobs of a sweep after the checks and look-ups, and the plan that lists them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from experiments.composition.run_names import DEFAULTS, is_noise, key_of, run_name, short_names
from experiments.config import RunConfig
from experiments.redaction.hide import hidden
from experiments.registry.earlier import Earlier
from experiments.registry.objective import Objective
from experiments.sweep.compose import NUMBER, PLANNED, SOURCE, VARIED, as_override

Kind = Literal["finished", "to measure", "to resume", "new", "in use", "duplicate"]


@dataclass(frozen=True)
class Job:
    """One run of a sweep whose configuration has passed all checks."""

    number: int
    overrides: tuple[str, ...]
    config: RunConfig
    identity: str
    source: str
    """the SHA-256 of the source that the sweep was planned with"""
    measures: Mapping[str, str]
    """the SHA-256 of each metric, by name"""
    knows_device: bool
    """whether it trains on this machine; otherwise its identity has the device as configured"""
    kind: Kind
    earlier: Earlier | None
    """the earlier run of its identity"""
    subdir: str
    """the folder of a new run, relative to the sweep's folder"""
    log: str
    """the name of the log file in its folder"""
    twin: int | None
    """the number of an earlier job with the same identity"""
    varied: tuple[str, ...]
    """the overrides that not all jobs share"""

    @property
    def name(self) -> str:
        """Its name in messages: the overrides that not all jobs share, in few words."""
        return " ".join(short_names(self.varied)) or named(self.varied)

    @property
    def task(self) -> str:
        """Its kind in words."""
        is_measured = self.earlier is not None and self.earlier.lacks(self.measures)
        if self.kind == "to measure" and not is_measured:
            return f"to rank by {self.ranked_by.name}"
        return self.kind

    @property
    def run_name(self) -> str:
        """The name of its run in MLflow, with the values of the varied keys."""
        given, varied = self.config.tracking.run_name, {key_of(text) for text in self.varied}
        return run_name(self.overrides, varied, given and hidden(given))

    @property
    def ranked_by(self) -> Objective:
        """Its objective."""
        return Objective.of_task(self.config.task)

    @property
    def setting(self) -> str:
        """The name of its setting: as its name, without the seed."""
        return " ".join(short_names(self.values))

    @property
    def values(self) -> tuple[str, ...]:
        """Its varied overrides that may change a result, but not the seed: they are its setting."""
        return tuple(text for text in self.varied if key_of(text) != "seed" and not is_noise(text))

    def folder(self, sweep: Path) -> Path:
        """Return the folder of its run, which a new job has yet to make."""
        earlier = self.earlier and self.earlier.folder
        return earlier if earlier and self.kind != "new" else sweep / self.subdir

    def launched(self, sweep: Path) -> list[str]:
        """Return the overrides that the launcher gets for it."""
        place = self.folder(sweep).absolute()
        varied = " ".join(dict.fromkeys(map(key_of, self.varied)))
        told = {NUMBER: self.number, SOURCE: self.source, VARIED: varied}
        told["hydra.sweep.subdir"] = place
        if not self.knows_device:
            told[PLANNED] = self.identity
        return [*self.overrides, *(as_override(key, value) for key, value in told.items())]


@dataclass(frozen=True)
class Plan:
    """A sweep before its training: every job, and the sweep's own identity."""

    jobs: Sequence[Job]
    identity: str

    def of(self, *kinds: Kind) -> list[Job]:
        """Return the jobs of the given kinds."""
        return [job for job in self.jobs if job.kind in kinds]

    @property
    def varied_keys(self) -> list[str]:
        """The keys that vary between the jobs."""
        return list(dict.fromkeys(key_of(text) for job in self.jobs for text in job.varied))

    @property
    def left(self) -> list[Job]:
        """The jobs that are not finished."""
        return self.of("new", "to resume", "to measure", "in use")

    def __str__(self) -> str:
        counts = Counter(job.kind for job in self.jobs)
        told = [f"{counts['finished']} finished", f"{counts['to resume']} to resume"]
        told += [f"{counts['new']} new", "0 invalid", f"{counts['duplicate']} duplicates"]
        tasks = Counter(job.task for job in self.of("to measure"))
        for task, count in tasks.items():
            told.append(f"{count} {task}{' by other metrics' if task == 'to measure' else ''}")
        if counts["in use"]:
            told.append(f"{counts['in use']} trained by another process")
        return f"{len(self.jobs)} jobs: {', '.join(told)}"


def named(overrides: Sequence[str]) -> str:
    """Return overrides as the name of a job."""
    return " ".join(overrides) or DEFAULTS
