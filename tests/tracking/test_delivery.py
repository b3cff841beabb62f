"""A journal becomes an MLflow run: once, whole, and again without harm."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import Mock

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from experiments.journal import Journal
from experiments.tracking.copies import STATE
from experiments.tracking.delivery import Delivery
from experiments.tracking.store import sqlite_file
from tests.tracking.conftest import START


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run of two epochs that has ended."""
    (tmp_path / "config.yaml").write_text("seed: 0\n")
    with Journal(tmp_path) as journal:
        params = {f"key.{number}": "x" for number in range(30)}
        own = {"id": uuid.uuid4().hex, "params": params, "tags": {"a": "b"}}
        journal.write("start", **START | own)
        journal.write("artifacts", names=["config.yaml"])
        for epoch, loss in ((1, 0.5), (2, 0.1 + 0.2)):
            journal.write("metrics", metrics={"loss": loss, "lr": 0.01}, step=epoch)
        journal.write("tags", tags={"late": "tag"})
        journal.write("end", status="FINISHED")
    return tmp_path


def assert_delivered(client: MlflowClient, run_id: str, folder: Path) -> None:
    run = client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "n"
    assert run.info.end_time >= run.info.start_time
    assert len(run.data.params) == 30
    (data,) = run.inputs.dataset_inputs
    assert (data.dataset.name, data.dataset.digest) == ("d", "0123")
    assert (run.data.tags["a"], run.data.tags["late"]) == ("b", "tag")
    points = [(point.step, point.value) for point in client.get_metric_history(run_id, "loss")]
    assert points == [(1, 0.5), (2, 0.1 + 0.2)]
    assert [artifact.path for artifact in client.list_artifacts(run_id)] == ["config.yaml"]


def test_everything_arrives(client: MlflowClient, uri: str, folder: Path) -> None:
    delivery = Delivery(folder, uri)
    assert not delivery.complete
    delivery.deliver(client)
    assert delivery.complete
    assert_delivered(client, delivery.run_id, folder)


@pytest.fixture
def statements(uri: str, client: MlflowClient) -> Iterator[list[str]]:
    """The statements that the database has been sent."""
    from mlflow.tracking._tracking_service.utils import _get_store
    from sqlalchemy import event

    engine, sent = _get_store(uri).engine, list[str]()

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        sent.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield sent
    event.remove(engine, "before_cursor_execute", note)


def test_a_run_takes_as_many_statements_beside_many_others(
    client: MlflowClient, uri: str, tmp_path: Path, statements: list[str]
) -> None:
    counts = []
    for number in range(6):
        folder = tmp_path / str(number)
        folder.mkdir()
        with Journal(folder) as journal:
            journal.write("start", **START | {"id": uuid.uuid4().hex, "experiment": "many"})
            journal.write("metrics", metrics={"loss": 0.5}, step=1)
            journal.write("end", status="FINISHED")
        before = len(statements)
        Delivery(folder, uri).deliver(client)
        counts.append(len(statements) - before)
    assert counts[1] > 0  # the first makes the experiment
    assert counts[1:] == [counts[1]] * 5


def test_artifacts_lie_under_outputs_beside_the_database(client, uri: str, folder: Path) -> None:
    delivery = Delivery(folder, uri)
    delivery.deliver(client)
    place = sqlite_file(uri).parent / "outputs" / "mlflow"
    assert client.get_run(delivery.run_id).info.artifact_uri.startswith(place.as_uri())


@pytest.mark.parametrize("failing", range(1, 7))
def test_interrupted_anywhere_it_goes_on_without_doubling(
    client: MlflowClient, uri: str, folder: Path, failing: int
) -> None:
    calls = []

    def guarded(method):
        def call(*arguments, **named):
            calls.append(method)
            if len(calls) == failing:
                raise MlflowException("the store is gone")
            return method(*arguments, **named)

        return call

    names = ("create_run", "log_batch", "log_artifact", "set_terminated")
    failing_client = Mock(wraps=client, **{name: guarded(getattr(client, name)) for name in names})
    first = Delivery(folder, uri)
    with pytest.raises(MlflowException):
        first.deliver(failing_client)
    again = Delivery(folder, uri)  # as another process would
    again.deliver(client)
    assert again.complete
    assert first.run_id in {None, again.run_id}
    assert_delivered(client, again.run_id, folder)


def test_delivering_what_is_delivered_changes_nothing(client, uri: str, folder: Path) -> None:
    Delivery(folder, uri).deliver(client)
    untouched = Mock()
    Delivery(folder, uri).deliver(untouched)
    assert untouched.mock_calls == []


def test_killed_between_creating_the_run_and_noting_it(client, uri: str, folder: Path) -> None:
    first = Delivery(folder, uri)
    first.deliver(client)
    note = json.loads((folder / STATE).read_text())
    note["copies"][0] |= {"run_id": None, "offset": 0, "complete": False}
    (folder / STATE).write_text(json.dumps(note))
    again = Delivery(folder, uri)
    again.deliver(client)
    assert again.run_id == first.run_id


def test_two_that_began_before_either_delivered_make_one_run(
    client: MlflowClient, uri: str, folder: Path
) -> None:
    deliveries = [Delivery(folder, uri) for _ in range(2)]
    for delivery in deliveries:
        delivery.deliver(client)
    assert deliveries[0].run_id == deliveries[1].run_id
    assert_delivered(client, deliveries[0].run_id, folder)


def test_keys_that_mlflow_refuses_are_spelled_otherwise(client, uri: str, tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.write("start", **START | {"params": {"model.map.(1)": "x"}})
    delivery = Delivery(tmp_path, uri)
    delivery.deliver(client)
    assert client.get_run(delivery.run_id).data.params == {"model.map._1_": "x"}


def test_a_run_whose_process_is_gone_is_marked(client: MlflowClient, uri: str, tmp_path) -> None:
    with Journal(tmp_path) as journal:
        journal.write("start", **START)
    delivery = Delivery(tmp_path, uri)
    delivery.deliver(client)
    assert client.get_run(delivery.run_id).info.status == "RUNNING"
    delivery.deliver(client, abandoned=True)
    assert client.get_run(delivery.run_id).info.status == "KILLED"
    assert delivery.complete


def test_a_finished_run_is_never_marked(client: MlflowClient, uri: str, folder: Path) -> None:
    delivery = Delivery(folder, uri)
    delivery.deliver(client, abandoned=True)
    assert client.get_run(delivery.run_id).info.status == "FINISHED"
