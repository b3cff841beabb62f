"""The store's word on an identity, and on runs whose process is gone."""

from __future__ import annotations

import itertools
import json
import platform
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from experiments.journal import Journal
from experiments.tracking import lease
from experiments.tracking.delivery import STATE, Delivery
from experiments.tracking.lease import LEASE_SECONDS
from experiments.tracking.lookup import find, mark_dead
from tests.tracking.test_delivery import START

Store = Callable[..., str]
HERE = platform.node()


def heartbeat(*, seconds_ago: float) -> str:
    return str(int((time.time() - seconds_ago) * 1000))


FRESH, STALE = 5.0, LEASE_SECONDS + 60
TERMINATED = ("FINISHED", "FAILED", "KILLED")


@pytest.fixture
def identity() -> str:
    return uuid.uuid4().hex * 2


@pytest.fixture
def store(client: MlflowClient, identity: str) -> Iterator[Store]:
    """Put a run of the identity into the store, by default one of another machine."""
    made: list[str] = []

    def stored(status: str = "RUNNING", *, renewed: float | None = None, **tags: str) -> str:
        lease_tag = {} if renewed is None else {"heartbeat": heartbeat(seconds_ago=renewed)}
        process = {"identity": identity, "host": "elsewhere", "pid": "7", "folder": "/nowhere/run"}
        own = {"journal_id": uuid.uuid4().hex} | lease_tag
        run = client.create_run("0", tags=process | own | tags)
        made.append(run.info.run_id)
        if status in TERMINATED:
            client.set_terminated(run.info.run_id, status)
        return run.info.run_id

    yield stored
    for run_id in made:
        if client.get_run(run_id).info.lifecycle_stage == "active":
            client.delete_run(run_id)


def status_of(client: MlflowClient, run_id: str) -> str:
    return client.get_run(run_id).info.status


def begin(journal: Journal, identity: str, **fields: object) -> str:
    """Write the journal's first event; return its id."""
    own = {"id": uuid.uuid4().hex, "identity": identity, "host": HERE} | fields
    journal.write("start", **START | own)
    return own["id"]


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
    ("status", "renewed", "state"),
    [
        ("RUNNING", FRESH, "alive"),
        ("RUNNING", LEASE_SECONDS - 60, "alive"),
        ("RUNNING", -60, "alive"),  # a clock that is ahead of ours
        ("RUNNING", STALE, "dead"),
        ("RUNNING", None, "dead"),
        ("KILLED", FRESH, "dead"),
        ("FAILED", FRESH, "dead"),
        ("FINISHED", FRESH, "finished"),
        ("FINISHED", None, "finished"),
    ],
)
def test_on_another_machine_a_run_lives_as_long_as_its_lease(
    client: MlflowClient, identity: str, store: Store, status, renewed, state
) -> None:
    store(status, renewed=renewed)
    assert find(client, identity)["state"] == state


def test_a_lease_is_renewed_by_the_time_of_now(
    client: MlflowClient, identity: str, store: Store
) -> None:
    run_id = store(renewed=STALE)
    client.set_tag(run_id, lease.TAG, lease.now())
    assert find(client, identity)["state"] == "alive"


@pytest.mark.parametrize("renewed", [FRESH, STALE, None])
def test_where_its_folder_is_seen_its_journal_tells_at_once(
    client: MlflowClient, identity: str, store: Store, tmp_path: Path, renewed: float | None
) -> None:
    with Journal(tmp_path) as journal:
        its = begin(journal, identity)
        store(renewed=renewed, host=HERE, folder=str(tmp_path), journal_id=its)
        found = find(client, identity)
        assert (found["state"], found["folder"]) == ("alive", str(tmp_path))
    found = find(client, identity)
    assert (found["state"], found["folder"]) == ("dead", str(tmp_path))
    with Journal(tmp_path):
        assert find(client, identity)["state"] == "alive"


@pytest.mark.parametrize(("renewed", "state"), [(FRESH, "alive"), (STALE, "dead")])
def test_a_closed_journal_shared_with_another_machine_tells_nothing(
    client: MlflowClient, identity: str, store: Store, tmp_path: Path, renewed, state
) -> None:
    """The lock of a process elsewhere is not seen on every shared file system."""
    with Journal(tmp_path) as journal:
        its = begin(journal, identity)
    store(renewed=renewed, host="elsewhere", folder=str(tmp_path), journal_id=its)
    found = find(client, identity)
    assert (found["state"], found["folder"]) == (state, str(tmp_path))


def test_the_folder_of_another_run_is_not_taken_for_its_own(
    client: MlflowClient, identity: str, store: Store, tmp_path: Path
) -> None:
    with Journal(tmp_path) as journal:
        begin(journal, identity)
        run_id = store(renewed=STALE, host=HERE, folder=str(tmp_path))
        found = find(client, identity)
        assert (found["state"], found["folder"]) == ("dead", None)
        mark_dead(client)
    assert status_of(client, run_id) == "KILLED"
    assert not (tmp_path / STATE).exists()


@pytest.mark.parametrize(
    ("status", "renewed", "becomes"),
    [
        ("RUNNING", STALE, "KILLED"),
        ("RUNNING", FRESH, "RUNNING"),
        ("RUNNING", None, "RUNNING"),  # none of ours
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


def test_a_run_that_is_continued_is_alive_again(
    client: MlflowClient, uri: str, identity: str, tmp_path: Path
) -> None:
    with Journal(tmp_path) as journal:
        begin(journal, identity)
        Delivery(tmp_path, uri).deliver(client)
    mark_dead(client)
    with Journal(tmp_path) as journal:
        journal.write("continue", host=HERE, pid=8)
        Delivery(tmp_path, uri).deliver(client)
        mark_dead(client)
        found = find(client, identity)
    assert (found["state"], found["pid"]) == ("alive", 8)
