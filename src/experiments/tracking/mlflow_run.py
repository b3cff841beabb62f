"""One copy of a run in MLflow: events of the journal become calls of MLflow's client."""

from __future__ import annotations

import contextlib
import itertools
import posixpath
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments import journal
from experiments.errors import InputError
from experiments.journal import History
from experiments.registry.earlier import WARNING
from experiments.registry.integrity import WEIGHTS, check_weights
from experiments.registry.objective import Objective
from experiments.tracking import lease
from experiments.tracking.shared_views import provide_view_of_sweep
from experiments.tracking.spelling import LONGEST_KEY, spelled, storable
from experiments.tracking.tag_names import FAILURE, HEARTBEAT, NAME, NOTE, PID, USER_NOTE

if TYPE_CHECKING:
    from mlflow import MlflowClient

_BATCH = 100  # MLflow's limit for params and tags in one request; for metrics it is 1,000
_FAILED = "**Failed:**"  # begins the description of a run that failed
_NAMED = 20  # refused entries that are named in a tag


class MlflowRun:
    """A run in MLflow."""

    def __init__(self, client: MlflowClient, run_id: str, folder: Path) -> None:
        self._client, self._id, self._folder = client, run_id, folder
        self._refused: list[str] = []

    def apply(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Deliver events of the run's journal to MLflow, in few calls.

        The tag `mlflow_refused` names the entries that MLflow refuses as invalid, such as a value
        that is too long. All other entries are delivered.

        Raises:
            MlflowException: the store fails.
        """
        is_over = has_ended(events)
        for kind, group in itertools.groupby(events, key=lambda event: str(event["event"])):
            told = list(group)
            match kind:
                case "start":
                    self._begin(told[0])
                    self._take(told[0], alive=not is_over)
                case "continue":
                    self._take(told[-1], alive=not is_over)
                case "metrics":
                    self._log_metrics(told)
                case "tags":
                    self._log_tags({k: v for event in told for k, v in event["tags"].items()})
                case "params":
                    self._log_params({k: v for event in told for k, v in event["params"].items()})
                case "artifacts":
                    self._log_artifacts(name for event in told for name in event["names"])
                case "end":
                    self.end(told[-1]["status"], told[-1]["time"])
        self._name_refused()

    def _begin(self, event: Mapping[str, Any]) -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        self._log_params(event["params"])
        if USER_NOTE in event["tags"]:
            self._log_tags({USER_NOTE: event["tags"][USER_NOTE]})
        if event["dataset"] is not None:
            dataset = Dataset(**event["dataset"], source_type="local")
            given = [DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])]
            if not _accepts(self._client.log_inputs, self._id, given):
                self._refused.append("dataset")
        if event.get("view") is not None:
            experiment_id = self._client.get_run(self._id).info.experiment_id
            keys = {
                **event["view"],
                "params": list(spelled(dict.fromkeys(event["view"]["params"], ""))),
            }
            objective = Objective.of_tags(event["tags"])
            provide_view_of_sweep(
                self._client, experiment_id, self._id, direction=objective.direction, **keys
            )

    def _log_params(self, params: Mapping[str, str]) -> None:
        from mlflow.entities import Param

        entries = [Param(key, storable(value)) for key, value in spelled(params).items()]
        self._log("params", entries)

    def _log_metrics(self, events: Sequence[Mapping[str, Any]]) -> None:
        from mlflow.entities import Metric

        points = [
            Metric(key, value, event["time"], event["step"])
            for event in events
            for key, value in event["metrics"].items()
        ]
        self._log("metrics", points)

    def _log_tags(self, tags: Mapping[str, str]) -> None:
        from mlflow.entities import RunTag

        told = dict(tags)
        if tags.keys() & {FAILURE, WARNING, NOTE, USER_NOTE}:
            told[NOTE] = description(journal.history(self._folder))
        if tags.keys() & {NAME, WARNING}:
            name = tags.get(NAME) or self._client.get_run(self._id).info.run_name or ""
            warning = journal.history(self._folder).tags.get(WARNING)
            mark = f"{warning.partition(':')[0]}: " if warning else ""
            told[NAME] = name if name.startswith(mark) else mark + name
        self._log("tags", [RunTag(key, storable(value)) for key, value in told.items()])

    def _log_artifacts(self, names: Iterable[str]) -> None:
        for name in dict.fromkeys(names):
            if _is_as_recorded(self._folder, name):
                place = posixpath.dirname(name) or None
                self._client.log_artifact(self._id, str(self._folder / name), place)
            else:
                self._refused.append(name)

    def _log(self, kind: str, entries: Sequence[Any]) -> None:
        """Log entries in batches; if MLflow refuses a batch, log its entries one by one."""
        for batch in _batches(entries):
            if not _accepts(self._client.log_batch, self._id, **{kind: batch}):
                self._refused += [
                    entry.key
                    for entry in batch
                    if not _accepts(self._client.log_batch, self._id, **{kind: [entry]})
                ]

    def _name_refused(self) -> None:
        if self._refused:
            named = [name[:LONGEST_KEY] for name in self._refused[:_NAMED]]
            count = f"{len(self._refused)}: " if len(self._refused) > _NAMED else ""
            self._client.set_tag(self._id, "mlflow_refused", count + ", ".join(named))

    def _take(self, event: Mapping[str, Any], *, alive: bool) -> None:
        """Record the process that trains the run from now on."""
        process = {"host": event["host"], PID: str(event["pid"]), "folder": str(self._folder)}
        self._log_tags(process | ({HEARTBEAT: lease.now()} if alive else {}))
        if alive:
            self._client.update_run(self._id, status="RUNNING")

    def end(self, status: str, when: int) -> None:
        """Record the status of a run that has ended.

        Args:
            status: FINISHED, FAILED or KILLED.
            when: milliseconds since 1970.

        Raises:
            MlflowException: the store fails.
        """
        from mlflow.exceptions import MlflowException

        self._client.set_terminated(self._id, status, end_time=when)
        tags = self._client.get_run(self._id).data.tags
        obsolete = {HEARTBEAT}
        if status == "FINISHED":  # an earlier attempt may have failed
            obsolete.add(FAILURE)
            if tags.get(NOTE, "").startswith(_FAILED):
                self._client.set_tag(
                    self._id, NOTE, storable(description(journal.history(self._folder)))
                )
        for tag in obsolete & tags.keys():
            with contextlib.suppress(MlflowException):  # another delivery was faster
                self._client.delete_tag(self._id, tag)


def description(past: History) -> str:
    """Return the description of a run, in Markdown.

    It is the reason of a failure or a warning, the user's note, and the verdict of a sweep.
    """
    tags = {**past.start.get("tags", {}), **past.tags}
    first = ""
    if FAILURE in tags and past.status != "FINISHED":  # an earlier attempt may have failed
        first = f"{_FAILED} {tags[FAILURE]}"
    elif warning := tags.get(WARNING):
        first = f"**{warning[0].upper()}{warning[1:]}.**"
    return "\n\n".join(filter(None, (first, tags.get(USER_NOTE), tags.get(NOTE))))


def has_ended(events: Iterable[Mapping[str, Any]]) -> bool:
    """Return whether the run ends in these events of its journal, and is not resumed after that."""
    turns = [event["event"] for event in events if event["event"] in {"continue", "end"}]
    return bool(turns) and turns[-1] == "end"


def _is_as_recorded(folder: Path, name: str) -> bool:
    """Return whether a file exists and, if it holds the run's weights, is unaltered."""
    if name == WEIGHTS:
        try:
            check_weights(folder)
        except InputError:
            return False
    return (folder / name).exists()


def _accepts(call: Callable[..., object], *arguments: Any, **named: Any) -> bool:
    """Call MLflow; return False if it refuses the arguments as invalid."""
    from mlflow.exceptions import MlflowException

    try:
        call(*arguments, **named)
    except MlflowException as error:
        if error.error_code != "INVALID_PARAMETER_VALUE":
            raise
        return False
    return True


def _batches(entries: Sequence[Any]) -> Iterable[list[Any]]:
    return (list(entries[start : start + _BATCH]) for start in range(0, len(entries), _BATCH))
