"""The reports of one run, in its journal."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from experiments.errors import RunError
from experiments.journal import History, Journal, last_values
from experiments.journal.events import Place
from experiments.registry.earlier import Result
from experiments.registry.objective import ACCURACY, Objective
from experiments.tracking.sender import Sender

Status = Literal["FINISHED", "FAILED", "KILLED"]
_PUBLISH_SECONDS = 1.0  # a value of every batch must not wait for the disk


class Recorder:
    """The reports of a run, by one thread or several.

    Each is on the disk when its method returns; those of `value` are within a second.
    """

    def __init__(
        self, journal: Journal, past: History, to: Sender | None, ranked_by: Objective = ACCURACY
    ) -> None:
        self._journal, self._to, self._ranked_by = journal, to, ranked_by
        self._points, self._tags = dict(past.points), dict(past.tags)
        self._past = past.points
        self._by_epoch: set[str] = set()
        self._by_step: set[str] = set()
        self._lock, self._published = threading.RLock(), 0.0
        self.pending: dict[str, float] = {}
        """values of the user's code that `metrics` is to record with those of the epoch"""

    @property
    def folder(self) -> Path:
        """The folder of the run."""
        return self._journal.folder

    @property
    def place(self) -> Place:
        """The present end of the journal."""
        return self._journal.place

    @property
    def result(self) -> Result:
        """The result of the run up to now."""
        with self._lock:
            return Result(last_values(self._points), "diverged" in self._tags, self._ranked_by)

    def metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Record values at a step; after a resume, values that the journal has are skipped.

        Raises:
            RunError: the user's code has recorded values of the same name at steps of its own.
        """
        with self._lock:
            self._by_epoch |= metrics.keys()
            if clash := sorted(self._by_epoch & self._by_step):
                raise RunError(
                    f"mlflow.log_metric('{clash[0]}', …, step=…): the run records {clash[0]} at "
                    "every epoch; choose another name, or give no step"
                )
            new = {key: value for key, value in metrics.items() if (key, step) not in self._points}
            if new:
                self._points |= {(key, step): value for key, value in new.items()}
                self.write("metrics", metrics=new, step=step)

    def value(self, key: str, value: float, step: int) -> None:
        """Record a value of the user's code.

        MLflow gives a value without a step the step 0. Such a value belongs to the epoch: it waits
        in `pending`, where a later one replaces it. A step from 1 on is the user's own, and so is
        a step 0 before it in the same epoch.

        Args:
            key: the metric's name.
            value: its value.
            step: its step, or 0. After a resume, a step that the journal has is skipped.

        Raises:
            RunError: values of the same name are recorded at every epoch.
        """
        with self._lock:
            if step == 0 and key not in self._by_step:
                self.pending[key] = value
                return
            if key in self._by_epoch:
                raise RunError(
                    f"mlflow.log_metric('{key}', …, step={step}): the run records {key} at every "
                    "epoch, as it does with every metric that is logged without a step or with "
                    "step 0; choose another name, or give no step"
                )
            self._by_step.add(key)
            points = {0: self.pending.pop(key)} if key in self.pending else {}
            for at, point in (points | {step: value}).items():
                if (key, at) not in self._past:
                    self._points[key, at] = point
                    self._journal.write("metrics", metrics={key: point}, step=at)
            if time.monotonic() - self._published > _PUBLISH_SECONDS:
                self._publish()

    def params(self, params: Mapping[str, str]) -> None:
        """Record parameters that the user's code has found."""
        self.write("params", params=dict(params))

    def tags(self, tags: Mapping[str, str]) -> None:
        """Record searchable texts about the run."""
        with self._lock:
            self._tags |= tags
            self.write("tags", tags=dict(tags))

    def artifacts(self, *names: str) -> None:
        """Record files of the run's folder as artifacts; the files are not moved."""
        self.write("artifacts", names=names)

    def end(self, status: Status) -> None:
        """Record the status at the end of the run."""
        self.write("end", status=status)

    def write(self, event: str, **fields: Any) -> None:
        """Write an event to the disk, and have it delivered."""
        with self._lock:
            self._journal.write(event, **fields)
            self._publish()

    def _publish(self) -> None:
        self._journal.sync()
        self._published = time.monotonic()
        if self._to is not None:
            self._to.tell(self._journal.folder)
