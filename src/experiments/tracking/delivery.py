"""Delivery: a run's journal becomes an MLflow run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments import journal
from experiments.durable import write_atomically
from experiments.tracking.store import experiment_id

if TYPE_CHECKING:
    from mlflow import MlflowClient

STATE = "mlflow.json"


class Delivery:
    """Delivers one run's journal, from where the last delivery stopped."""

    def __init__(self, folder: Path, uri: str) -> None:
        self.folder, self._uri = folder, uri
        state = folder / STATE
        self._state: dict[str, Any] = json.loads(state.read_text()) if state.exists() else {}

    @property
    def run_id(self) -> str | None:
        """The MLflow run, once it is created."""
        return self._state.get("run_id")

    @property
    def ended(self) -> bool:
        """Whether the run has said how it ended, delivered or not."""
        events, _ = journal.read(self.folder, self._state.get("offset", 0))
        return self.complete or any(event["event"] == "end" for event in events)

    @property
    def complete(self) -> bool:
        """Whether the run has ended and all of it is delivered."""
        return bool(self._state.get("complete"))

    def deliver(self, client: MlflowClient) -> None:
        """Deliver what is new.

        Raises:
            MlflowException: the store does not take it; the next call begins where this one ended.
        """
        events, offset = journal.read(self.folder, self._state.get("offset", 0))
        for event in events:
            self._apply(client, event)
        if events:
            self._save(offset=offset)

    def mark_killed(self, client: MlflowClient) -> None:
        """Give a run whose process is gone its terminal status."""
        if self.run_id is not None and not self.complete:
            client.set_terminated(self.run_id, "KILLED")

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
            case "end":
                client.set_terminated(self._state["run_id"], event["status"], end_time=when)
                self._save(complete=True)

    def _create(self, client: MlflowClient, event: dict[str, Any]) -> None:
        from mlflow.entities import Dataset, DatasetInput, Param

        if self.run_id is None:
            run = client.create_run(
                experiment_id(client, self._uri, event["experiment"]),
                start_time=event["time"],
                tags=event["tags"],
                run_name=event["name"],
            )
            self._save(run_id=run.info.run_id)
        params = [Param(key, value) for key, value in event["params"].items()]
        client.log_batch(self._state["run_id"], params=params)
        dataset = Dataset(**event["dataset"], source_type="local")
        client.log_inputs(self._state["run_id"], [DatasetInput(dataset)])

    def _save(self, **changes: Any) -> None:
        self._state |= changes
        write_atomically(self.folder / STATE, json.dumps(self._state).encode())
