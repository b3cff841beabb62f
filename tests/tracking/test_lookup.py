"""Lookups in the store: the run of an identity, and runs whose process is gone."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from mlflow import MlflowClient

from experiments.journal import Journal
from experiments.tracking.copies import STATE
from experiments.tracking.delivery import Delivery
from experiments.tracking.lookup import find, mark_dead
from experiments.tracking.tag_names import HEARTBEAT
from tests.tracking.conftest import (
    FRESH,
    STALE,
    Store,
    begin,
    heartbeat,
    status_of,
)


def test_an_identity_nobody_has_is_found_nowhere(client: MlflowClient, identity: str) -> None:
    assert find(client, identity) is None


@pytest.mark.parametrize(
    "malformed", ["", "0" * 63, "0" * 65, "A" * 64, "g" * 64, "0" * 64 + "\n", "' OR '' = '"]
)
def test_what_is_no_identity_is_refused(client: MlflowClient, malformed: str) -> None:
    with pytest.raises(ValueError, match="is no identity"):
        find(client, malformed)


def test_the_run_is_described(client: MlflowClient, identity: str, store: Store) -> None:
    run_id = store(diverged="true")
    client.log_metric(run_id, "test_accuracy", 0.5, step=1)
    client.log_metric(run_id, "test_accuracy", 0.75, step=2)
    client.set_terminated(run_id)
    assert find(client, identity) == {
        "state": "finished",
        "run_id": run_id,
        "folder": None,
        "host": "elsewhere",
        "pid": 7,
        "metrics": {"test_accuracy": 0.75},
        "diverged": True,
        "warning": "",
        "measures": {},
        "ranked_by": {"objective": "accuracy", "objective_direction": "maximize"},
    }


def test_the_answer_goes_through_a_pipe(client: MlflowClient, identity: str, store: Store) -> None:
    store(renewed=FRESH)
    found = find(client, identity)
    assert json.loads(json.dumps(found)) == found


@pytest.mark.parametrize("order", [*itertools.permutations(("finished", "alive", "dead"))], ids=str)
def test_a_finished_run_comes_before_one_alive_before_a_dead_one(
    client: MlflowClient, identity: str, store: Store, order: tuple[str, ...]
) -> None:
    make = {
        "finished": lambda: store("FINISHED"),
        "alive": lambda: store(renewed=FRESH),
        "dead": lambda: store("KILLED"),
    }
    made = {state: make[state]() for state in order}
    for state in ("finished", "alive", "dead"):
        found = find(client, identity)
        assert (found["state"], found["run_id"]) == (state, made[state])
        client.delete_run(made[state])
    assert find(client, identity) is None


@pytest.mark.parametrize(
    ("status", "renewed", "becomes"),
    [
        ("RUNNING", STALE, "KILLED"),
        ("RUNNING", FRESH, "RUNNING"),
        ("RUNNING", None, "RUNNING"),  # not from this framework
        ("FINISHED", STALE, "FINISHED"),
        ("FAILED", STALE, "FAILED"),
    ],
)
def test_only_a_run_whose_lease_has_ended_is_marked(
    client: MlflowClient, store: Store, status, renewed, becomes
) -> None:
    run_id = store(status, renewed=renewed)
    mark_dead(client)
    assert status_of(client, run_id) == becomes


def test_all_the_dead_are_marked_at_once(client: MlflowClient, store: Store) -> None:
    dead = [store(renewed=STALE) for _ in range(3)]
    alive = [store(renewed=FRESH) for _ in range(3)]
    mark_dead(client)
    assert {status_of(client, run_id) for run_id in dead} == {"KILLED"}
    assert {status_of(client, run_id) for run_id in alive} == {"RUNNING"}


def values(client: MlflowClient, run_id: str) -> list[tuple[int, float]]:
    return [(point.step, point.value) for point in client.get_metric_history(run_id, "loss")]


@pytest.mark.parametrize(
    ("said", "becomes"), [(None, "KILLED"), ("FINISHED", "FINISHED"), ("FAILED", "FAILED")]
)
def test_the_rest_of_a_dead_run_s_journal_is_delivered(
    client: MlflowClient, uri: str, identity: str, tmp_path: Path, said: str | None, becomes: str
) -> None:
    with Journal(tmp_path) as journal:
        begin(journal, identity)
        journal.write("metrics", metrics={"loss": 0.5}, step=1)
        Delivery(tmp_path, uri).deliver(client)
        run_id = Delivery(tmp_path, uri).run_id
        journal.write("metrics", metrics={"loss": 0.25}, step=2)
        mark_dead(client)  # while it is alive
        assert status_of(client, run_id) == "RUNNING"
        assert values(client, run_id) == [(1, 0.5)]
        if said is not None:
            journal.write("end", status=said)
    mark_dead(client)
    assert status_of(client, run_id) == becomes
    assert values(client, run_id) == [(1, 0.5), (2, 0.25)]
    assert Delivery(tmp_path, uri).complete
    assert find(client, identity)["run_id"] == run_id


def test_marked_once_it_is_left_alone(
    client: MlflowClient, uri: str, identity: str, tmp_path: Path
) -> None:
    with Journal(tmp_path) as journal:
        begin(journal, identity)
        Delivery(tmp_path, uri).deliver(client)
    mark_dead(client)
    before = client.get_run(Delivery(tmp_path, uri).run_id).to_dictionary()
    mark_dead(client)
    assert client.get_run(Delivery(tmp_path, uri).run_id).to_dictionary() == before


@pytest.mark.parametrize("what", ["unwritable", "other name of the store", "damaged journal"])
def test_one_bad_run_is_in_nobody_s_way(
    client: MlflowClient, uri: str, identity: str, tmp_path: Path, what: str
) -> None:
    bad, good = tmp_path / "bad", tmp_path / "good"
    runs = []
    for folder in (bad, good):
        folder.mkdir()
        with Journal(folder) as journal:
            begin(journal, identity)
            Delivery(folder, uri).deliver(client)
        runs.append(Delivery(folder, uri).run_id)
        client.set_tag(runs[-1], HEARTBEAT, heartbeat(seconds_ago=STALE))
    match what:
        case "unwritable":
            (bad / ".mlflow.lock").unlink()
            (bad / ".mlflow.lock").mkdir()  # a folder stops even root
        case "other name of the store":
            (bad / STATE).write_text(json.dumps({"store": "http://localhost:5000"}))
        case "damaged journal":
            (bad / "journal.jsonl").write_text("#\n")
    mark_dead(client)
    assert [status_of(client, run) for run in runs] == ["KILLED", "KILLED"]
    assert find(client, identity) is not None


def test_a_heartbeat_that_is_no_number_is_none(client: MlflowClient, store: Store) -> None:
    run = store(**{HEARTBEAT: "soon"})
    mark_dead(client)
    assert status_of(client, run) == "KILLED"
