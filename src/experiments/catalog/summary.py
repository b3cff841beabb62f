"""The summary of a run or a sweep: the facts that lists, comparisons and reports need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from experiments import journal
from experiments.identity.canonical import sha256_of_data
from experiments.journal import History
from experiments.journal.events import damaged
from experiments.registry.earlier import WARNING, Result
from experiments.registry.objective import Objective
from experiments.tracking.copies import Copies
from experiments.tracking.tag_names import FAILURE, NAME

State = Literal["running", "finished", "diverged", "dead"]
STATES: tuple[State, ...] = ("running", "finished", "diverged", "dead")
SHORT = 8
"""so many characters of an id are shown"""
LEAST = 3
"""so many characters of an id are needed: fewer say little"""


@dataclass(frozen=True)
class Summary:
    """The present state of a run or a sweep, from its journal and its note about MLflow."""

    folder: Path
    id: str
    """the journal's id; unlike the identity, each training has its own"""
    identity: str
    """empty for a run of version 0.1.0, which had none"""
    is_sweep: bool
    name: str
    state: State
    """a dead run has ended without a result; the same command resumes it"""
    status: str | None
    """the status at its end: `FINISHED`, `FAILED` or `KILLED`; None if it has recorded no end"""
    begun: int
    """milliseconds since 1970"""
    changed: int
    """the time of its last event, in milliseconds since 1970"""
    seconds: float
    """the time that its epochs took"""
    params: Mapping[str, str]
    """the chosen files of each group (`model`) and the values (`model.hidden`)"""
    metrics: Mapping[str, float]
    """the last value of each metric"""
    tags: Mapping[str, str]
    experiment: str
    host: str
    pid: int
    sweeps: tuple[str, ...]
    """the ids of the sweeps that it is a job of"""
    mlflow_ids: tuple[str, ...]
    """the ids of its copies in MLflow, the one asked for last at the end"""

    @property
    def short(self) -> str:
        """The beginning of its id."""
        return self.id[:SHORT]

    @property
    def diverged(self) -> bool:
        """Whether its training diverged."""
        return "diverged" in self.tags

    @property
    def ranked_by(self) -> Objective:
        """Its objective."""
        return Objective.of_tags(self.tags)

    @property
    def objective(self) -> float:
        """The value of its objective; NaN if it has none."""
        return Result(self.metrics, self.diverged, self.ranked_by).objective

    @property
    def reason(self) -> str:
        """The reason why it has no good result; empty without one."""
        key = FAILURE if self.state == "dead" else WARNING  # a resumed run may have failed once
        return self.tags.get(key, "")

    @property
    def mlflow_id(self) -> str | None:
        """The id of the copy in MLflow that was asked for last."""
        return self.mlflow_ids[-1] if self.mlflow_ids else None

    def is_named(self, reference: str) -> bool:
        """Return whether a text is its folder, or the beginning of one of its ids."""
        ids = (self.id, self.identity, *self.mlflow_ids)
        is_id = len(reference) >= LEAST and any(each.startswith(reference.lower()) for each in ids)
        return is_id or Path(reference).absolute() == self.folder.absolute()

    def as_data(self) -> dict[str, Any]:
        """Return plain data for JSON, without the folder."""
        told = asdict(self)
        del told["folder"]
        return told

    @classmethod
    def of_data(cls, folder: Path, told: Mapping[str, Any]) -> Summary:
        """Return the summary that `as_data` gave."""
        lists = {key: tuple(told[key]) for key in ("sweeps", "mlflow_ids")}
        return cls(folder=folder, **{**told, **lists})

    def now(self) -> Summary:
        """Return it with the state of this moment, for a run that has recorded no end."""
        if self.status is None:
            return replace(self, state="running" if journal.is_open(self.folder) else "dead")
        return self


@dataclass(frozen=True)
class Damaged:
    """A folder whose run cannot be read."""

    folder: Path
    reason: str
    """one line with advice"""


def summary_of(folder: Path) -> Summary | None:
    """Return the summary of the run or sweep in a folder; None if none has begun there.

    Raises:
        InputError: the journal or the note about MLflow is damaged.
    """
    return summarised(journal.history(folder))


def summarised(past: History) -> Summary | None:
    """Return the summary of a run or sweep from its history; None if none has begun.

    Raises:
        InputError: the journal or the note about MLflow is damaged.
    """
    if not past.start:
        return None
    try:
        return _summary(past)
    except (LookupError, TypeError, AttributeError) as error:
        raise damaged(past.folder, f"its first event has another form: {error!r}") from error


def _summary(past: History) -> Summary:
    folder = past.folder
    parents, ids = _copies(past)
    start = past.start
    if parent := start.get("parent"):
        parents = [parent["id"], *parents]
    return Summary(
        folder=folder,
        id=start.get("id") or sha256_of_data(start)[:32],
        identity=start.get("identity", ""),
        is_sweep=bool(start.get("view")) or "sweep.plan" in past.tags,
        name=past.tags.get(NAME, start["name"]),
        state=_state(past),
        status=past.status,
        begun=start["time"],
        changed=past.changed,
        seconds=sum(value for (key, _), value in past.points.items() if key == "epoch_seconds"),
        params=start["params"],
        metrics=past.metrics,
        tags={**start["tags"], **past.tags},
        experiment=start["experiment"],
        host=past.host,
        pid=past.pid,
        sweeps=tuple(dict.fromkeys(parents)),
        mlflow_ids=tuple(ids),
    ).now()


def _copies(past: History) -> tuple[list[str], list[str]]:
    """Return the ids of the sweeps that asked for a copy in MLflow, and the ids of the copies."""
    copies = Copies(past.folder, past)
    last = copies.last
    ordered = [*(copy for copy in copies if copy != last), *([last] if last else [])]
    parents = [each.destination.parent["id"] for each in ordered if each.destination.parent]
    return parents, [each.run_id for each in ordered if each.run_id]


def _state(past: History) -> State:
    if past.status == "FINISHED":
        return "diverged" if "diverged" in past.tags else "finished"
    return "dead"
