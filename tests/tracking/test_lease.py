"""A run is alive while its lease or the lock on its journal says so."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlflow import MlflowClient

from experiments.journal import Journal
from experiments.tracking import lease
from experiments.tracking.copies import STATE
from experiments.tracking.delivery import Delivery
from experiments.tracking.lease import LEASE_SECONDS
from experiments.tracking.lookup import find, mark_dead
from experiments.tracking.tag_names import HEARTBEAT, JOURNAL
from tests.tracking.conftest import (
    FRESH,
    HERE,
    STALE,
    Store,
    begin,
    status_of,
)


@pytest.mark.parametrize(
    ("status", "renewed", "state"),
    [
        ("RUNNING", FRESH, "alive"),
        ("RUNNING", LEASE_SECONDS - 60, "alive"),
        ("RUNNING", -60, "alive"),  # a clock that is ahead of this machine's
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
    client.set_tag(run_id, HEARTBEAT, lease.now())
    assert find(client, identity)["state"] == "alive"


@pytest.mark.parametrize("renewed", [FRESH, STALE, None])
def test_where_its_folder_is_seen_its_journal_tells_at_once(
    client: MlflowClient, identity: str, store: Store, tmp_path: Path, renewed: float | None
) -> None:
    with Journal(tmp_path) as journal:
        its = begin(journal, identity)
        store(renewed=renewed, host=HERE, folder=str(tmp_path), **{JOURNAL: its})
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
    """Not every shared file system shows the lock of a process on another machine."""
    with Journal(tmp_path) as journal:
        its = begin(journal, identity)
    store(renewed=renewed, host="elsewhere", folder=str(tmp_path), **{JOURNAL: its})
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
