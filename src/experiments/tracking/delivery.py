"""Delivery: a run's journal becomes an MLflow run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from experiments import journal
from experiments.durable import write_atomically
from experiments.errors import InputError
from experiments.tracking import lease
from experiments.tracking.store import address, experiment_id, rename_run, same_store

if TYPE_CHECKING:
    from mlflow import MlflowClient

STATE = "mlflow.json"


def run_id_of(folder: Path) -> str | None:
    """Return the MLflow run that a run's folder was delivered to."""
    return Delivery(folder, "").run_id


def is_behind(folder: Path) -> bool:
    """Return whether MLflow lacks a part of a run that has ended and was to be recorded there."""
    return journal.history(folder).store is not None and not Delivery(folder, "").complete


class Delivery:
    """Delivers one run's journal, from where the last delivery stopped, whoever made that."""

    def __init__(self, folder: Path, uri: str) -> None:
        self.folder, self._uri = folder, uri
        self._state = self._load()

    @property
    def run_id(self) -> str | None:
        """The MLflow run, once it is created."""
        return self._state.get("run_id")

    @property
    def complete(self) -> bool:
        """Whether the run has ended and all of it is delivered."""
        size = (self.folder / journal.NAME).stat().st_size
        return bool(self._state.get("complete")) and self._state.get("offset", 0) >= size

    @property
    def ended(self) -> bool:
        """Whether the run has said how it ended, delivered or not."""
        events, _ = journal.read(self.folder, self._state.get("offset", 0))
        turns = [event["event"] for event in events if event["event"] in {"continue", "end"}]
        return turns[-1] == "end" if turns else self.complete

    def deliver(self, client: MlflowClient, *, abandoned: bool = False) -> None:
        """Deliver what is new; where the run's process is gone before its end, mark it KILLED.

        Raises:
            InputError: a part of the run was delivered to another store.
            MlflowException: the store does not take it; the next call begins where this one ended.
        """
        with self._alone():
            events, offset = journal.read(self.folder, self._state.get("offset", 0))
            for event in events:
                self._apply(client, event)
            if events:
                self._save(offset=offset, time=events[-1]["time"])
            alive = not abandoned or journal.is_open(self.folder)  # perhaps continued meanwhile
            if not alive and self.run_id is not None and not self.complete:
                self._end(client, "KILLED", self._state["time"])

    def forget_if_lost(self, client: MlflowClient) -> None:
        """Forget what was delivered if the store has lost it; the next delivery tells it all again.

        Raises:
            MlflowException: the store does not answer.
        """
        from mlflow.exceptions import MlflowException

        with self._alone():
            if self.run_id is None:
                return
            try:
                client.get_run(self.run_id)
            except MlflowException as error:
                if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                    raise
                self._state = {"store": self._state["store"], "lost_id": self.run_id}
                self._save()

    def renew_lease(self, client: MlflowClient) -> None:
        """Prove that the run's process is alive.

        Raises:
            MlflowException: the store does not take it.
        """
        if self.run_id is not None and not self._state.get("complete"):
            client.set_tag(self.run_id, lease.TAG, lease.now())

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with FileLock(self.folder / ".mlflow.lock"):
            self._state = self._load()  # another process may have been here since
            taken_by = self._state.setdefault("store", address(self._uri))
            if same_store(taken_by, address(self._uri)):
                self._state["store"] = address(self._uri)
            else:
                raise InputError(
                    f"{self.folder}: is delivered to {taken_by} in part; use --uri {taken_by}, or "
                    f"delete {STATE} there to deliver all of it anew"
                )
            yield

    def _apply(self, client: MlflowClient, event: dict[str, Any]) -> None:
        from mlflow.entities import Metric, RunTag

        when = event["time"]
        match event["event"]:
            case "start":
                self._create(client, event)
            case "metrics":
                metrics = [
                    Metric(key, value, when, event["step"])
                    for key, value in event["metrics"].items()
                ]
                client.log_batch(self._state["run_id"], metrics=metrics)
            case "tags":
                tags = [RunTag(key, value) for key, value in event["tags"].items()]
                client.log_batch(self._state["run_id"], tags=tags)
            case "artifacts":
                for name in event["names"]:
                    client.log_artifact(self._state["run_id"], str(self.folder / name))
            case "continue":
                self._take(client, event)
            case "end":
                self._end(client, event["status"], when)

    def _create(self, client: MlflowClient, event: dict[str, Any]) -> None:
        from mlflow.entities import Dataset, DatasetInput, Param

        parent = self._parent_of(client, event)
        if self.run_id is None:
            experiment = experiment_id(client, self._uri, event["experiment"])
            # Killed between creating the run and noting its id, a delivery finds it again.
            found = client.search_runs([experiment], f"tags.journal_id = '{event['id']}'")
            run = next(iter(found), None)
            if run is None:
                run = client.create_run(
                    experiment,
                    start_time=event["time"],
                    tags={
                        "journal_id": event["id"],
                        "identity": event["identity"],
                        "folder": str(self.folder.absolute()),
                        **parent,
                        **event["tags"],
                    },
                    run_name=event["name"],
                )
            wanted = self._state.get("lost_id", run.info.run_id)
            self._save(run_id=rename_run(self._uri, run.info.run_id, wanted))
        self._take(client, event)
        # MLflow refuses other characters, which a user's own nested arguments may have.
        params = [
            Param(re.sub(r"[^\w\-. :/]", "_", key), value) for key, value in event["params"].items()
        ]
        client.log_batch(self._state["run_id"], params=params)
        if event["dataset"] is not None:
            dataset = Dataset(**event["dataset"], source_type="local")
            client.log_inputs(self._state["run_id"], [DatasetInput(dataset)])

    def _parent_of(self, client: MlflowClient, event: dict[str, Any]) -> dict[str, str]:
        """Return the tag that nests a job's run under its sweep's, delivered now if need be."""
        sweep = event.get("parent")
        if sweep is None:
            return {}
        folder = Path(sweep["folder"])
        if journal.history(folder).start.get("id") != sweep["id"]:
            return {}  # the sweep's folder is gone
        above = Delivery(folder, self._uri)
        if above.run_id is None:
            above.deliver(client)
        return {"mlflow.parentRunId": above.run_id} if above.run_id else {}

    def _take(self, client: MlflowClient, event: dict[str, Any]) -> None:
        """Say which process trains the run from now on."""
        from mlflow.entities import RunTag

        process = {"host": event["host"], "pid": str(event["pid"]), lease.TAG: lease.now()}
        tags = [RunTag(key, value) for key, value in process.items()]
        self._save(complete=False)
        client.log_batch(self._state["run_id"], tags=tags)
        client.update_run(self._state["run_id"], status="RUNNING")

    def _end(self, client: MlflowClient, status: str, when: int) -> None:
        client.set_terminated(self._state["run_id"], status, end_time=when)
        if lease.TAG in client.get_run(self._state["run_id"]).data.tags:
            client.delete_tag(self._state["run_id"], lease.TAG)
        self._save(complete=True)

    def _load(self) -> dict[str, Any]:
        state = self.folder / STATE
        try:
            loaded: dict[str, Any] = json.loads(state.read_text()) if state.exists() else {}
        except ValueError:
            return {}  # damaged; the store is told all again, and finds the run by its journal's id
        return loaded

    def _save(self, **changes: Any) -> None:
        self._state |= changes
        write_atomically(self.folder / STATE, json.dumps(self._state).encode())
