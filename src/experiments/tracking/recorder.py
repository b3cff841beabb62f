"""The reports of one run, in its journal."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal

from experiments.errors import RunError
from experiments.journal import History, Journal, last_values
from experiments.journal.events import Place
from experiments.registry.earlier import Result
from experiments.registry.objective import ACCURACY, Objective
from experiments.tracking.repeats import Repeats
from experiments.tracking.sender import Sender

Status = Literal["FINISHED", "FAILED", "KILLED"]
_PUBLISH_SECONDS = 1.0  # a value of every batch must not wait for the disk


class Recorder:
    """The reports of a run, by one thread or several.

    Each is on the disk when its method returns. Two kinds are not: a point of `value` is handed to
    the system, and is on the disk with the first report a second or more later, or of another kind;
    a value for the epoch is in memory and in checkpoints until the epoch ends.
    """

    def __init__(
        self, journal: Journal, past: History, to: Sender | None, ranked_by: Objective = ACCURACY
    ) -> None:
        self._journal, self._to, self._ranked_by = journal, to, ranked_by
        self._points, self._tags = dict(past.points), dict(past.tags)
        self._repeats = Repeats.since(journal.folder) if past.points else Repeats()
        self._by_epoch: set[str] = set()
        self._by_step: set[str] = set()
        self._lock, self._published = threading.RLock(), 0.0
        self._for_epoch: dict[str, float] = {}

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
        """Record values at a step; a resumed run skips those that it has recorded before.

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
            new = {k: v for k, v in metrics.items() if not self._repeats.take(k, step)}
            if new:
                self._points |= {(key, step): value for key, value in new.items()}
                self.write("metrics", metrics=new, step=step)

    def value(self, key: str, value: float, step: int) -> None:
        """Record a value of the user's code.

        MLflow gives a value without a step the step 0. Such a value belongs to the epoch: it waits
        for `values_of_epoch`, and a later one replaces it. A step from 1 on is the user's own, and
        so is a step 0 before it in the same epoch.

        Args:
            key: the metric's name.
            value: its value.
            step: its step, or 0. A resumed run skips the points that it has recorded before.

        Raises:
            RunError: values of the same name are recorded at every epoch.
        """
        with self._lock:
            if step == 0 and key not in self._by_step:
                self._for_epoch[key] = value
                return
            if key in self._by_epoch:
                raise RunError(
                    f"mlflow.log_metric('{key}', …, step={step}): the run records {key} at every "
                    "epoch, as it does with every metric that is logged without a step or with "
                    "step 0; choose another name, or give no step"
                )
            self._by_step.add(key)
            points = {0: self._for_epoch.pop(key)} if key in self._for_epoch else {}
            for at, point in (points | {step: value}).items():
                if not self._repeats.take(key, at):
                    self._points[key, at] = point
                    self._journal.write("metrics", metrics={key: point}, step=at)
            if time.monotonic() - self._published > _PUBLISH_SECONDS:
                self._publish()

    def keep_for_epoch(self, metrics: Mapping[str, float]) -> None:
        """Keep values for the end of the epoch; a later value of a name replaces an earlier one."""
        with self._lock:
            self._for_epoch |= metrics

    def values_of_epoch(self) -> dict[str, float]:
        """Return the values that are kept for the end of the epoch, and keep none any more."""
        with self._lock:
            kept, self._for_epoch = self._for_epoch, {}
            return kept

    def forget(self, keys: Collection[str]) -> None:
        """Forget the points of metrics that have another definition now."""
        with self._lock:
            self._points = {at: v for at, v in self._points.items() if at[0] not in keys}
            self._repeats.forget(keys)

    def state(self) -> dict[str, Any]:
        """Return the part of a checkpoint that is not in the journal."""
        with self._lock:
            return {
                "for_epoch": dict(self._for_epoch),
                "by_step": sorted(self._by_step),
                "repeats": self._repeats.state(),
            }

    def restore(self, state: Mapping[str, Any], place: Place) -> None:
        """Go on after a checkpoint: only points behind its place are reported once more.

        Values that were kept for the epoch since this process began are forgotten: the run had them
        when it began.

        Args:
            state: as `state` returned it.
            place: the end of the journal when the checkpoint was saved.

        Raises:
            InputError: the journal is damaged.
        """
        with self._lock:
            self._for_epoch = {str(k): float(v) for k, v in state["for_epoch"].items()}
            self._by_step |= set(state["by_step"])
            self._repeats = Repeats.since(self.folder, place.end, state["repeats"])

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
