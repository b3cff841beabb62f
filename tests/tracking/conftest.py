"""One MLflow database for the tests of tracking, and runs to put into it."""

from __future__ import annotations

import platform
import shutil
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from experiments.journal import Journal
from experiments.tracking.lease import LEASE_SECONDS
from experiments.tracking.store import connect
from experiments.tracking.tag_names import HEARTBEAT, JOURNAL, PID
from tests.conftest import PROJECT, command


@pytest.fixture(scope="session")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db"


@pytest.fixture(scope="session")
def client(uri: str) -> MlflowClient:
    return connect(uri)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, root: str) -> Path:
    """A project with one finished run, recorded in its own database."""
    folder = tmp_path_factory.mktemp("made")
    done = command(*TRAIN, *usual(root), cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def finished(made: Path, tmp_path: Path) -> Path:
    """A copy of the project `made`, in the folder of a test's commands."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path


def usual(root: str) -> tuple[str, ...]:
    return ("data=digits", f"data.root={root}", "trainer.epochs=1")


TRAIN = (sys.executable, str(PROJECT / "train.py"))
Store = Callable[..., str]
HERE = platform.node()
START = {
    "experiment": "e",
    "name": "n",
    "params": {},
    "tags": {},
    "id": "0",
    "identity": "0" * 64,
    "host": "here",
    "pid": 1,
    "dataset": {"name": "d", "digest": "0123", "source": "somewhere"},
}


def heartbeat(*, seconds_ago: float) -> str:
    return str(int((time.time() - seconds_ago) * 1000))


FRESH, STALE = 5.0, LEASE_SECONDS + 60
TERMINATED = ("FINISHED", "FAILED", "KILLED")


@pytest.fixture
def identity() -> str:
    return uuid.uuid4().hex * 2


@pytest.fixture
def store(client: MlflowClient, identity: str) -> Iterator[Store]:
    """Return a function that puts a run into the store, by default a run of another machine."""
    made: list[str] = []

    def stored(status: str = "RUNNING", *, renewed: float | None = None, **tags: str) -> str:
        lease_tag = {} if renewed is None else {HEARTBEAT: heartbeat(seconds_ago=renewed)}
        process = {"identity": identity, "host": "elsewhere", PID: "7", "folder": "/nowhere/run"}
        own = {JOURNAL: uuid.uuid4().hex} | lease_tag
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
