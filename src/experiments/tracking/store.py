"""The MLflow store: a client to it, its address, and its experiments."""

from __future__ import annotations

import contextlib
import functools
import importlib
import logging
import os
import re
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.errors import InputError
from experiments.redaction.secret_forms import without_passwords
from experiments.tracking.problems import NO_MLFLOW
from experiments.tracking.sqlite import (
    artifacts_beside,
    check_database,
    follow_a_move,
    is_there,
    sqlite_address,
    sqlite_file,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment

# Unless the user sets them: no usage reports, no lines of MLflow's own, and an answer within
# seconds, not minutes. MLflow must not repeat requests: a server that is killed or slow may have
# created the run already, and the next delivery looks for it first.
DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
_FIRST_CONTACT = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "2"}
_CREATING = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "600"}


def import_mlflow() -> None:
    """Import MLflow with the settings of this module, unless the user has set them."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    importlib.import_module("mlflow")
    # It reports each step of making a database, which no user needs.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)


def preload(uri: str) -> None:
    """Import the modules that `connect` needs, without touching the store."""
    import_mlflow()
    if sqlite_file(uri) is not None:
        importlib.import_module("mlflow.store.tracking.sqlalchemy_store")


@functools.lru_cache(maxsize=4)
def connect(uri: str) -> MlflowClient:
    """Return a client; a missing sqlite database is created, by one process at a time.

    Raises:
        InputError: a sqlite database cannot be used or created.
        MlflowException: the store does not answer.
    """
    check_store(uri)
    preload(uri)
    from mlflow import MlflowClient

    with _schema_lock(uri) as database:
        if database is not None and not is_there(database):
            _create(database)
        client = MlflowClient(uri)
        client.search_experiments(max_results=1)
        if database is not None:
            follow_a_move(database)
    return client


def _create(database: Path) -> None:
    """Create a database whole or not at all, with an index on tags by their value.

    If MLflow is killed while it creates tables, it leaves a database that it can neither use nor
    repair. And MLflow makes no such index; without it, finding an identity would take longer with
    every run.
    """
    from mlflow import MlflowClient

    staged = database.with_name(f".{database.name}.partial")
    staged.unlink(missing_ok=True)
    MlflowClient(sqlite_address(staged)).search_experiments(max_results=1)
    with contextlib.closing(sqlite3.connect(staged)) as connection, connection:
        connection.execute("CREATE INDEX index_tags_key_value ON tags (key, value)")
    staged.replace(database)


def check_store(uri: str) -> None:
    """Check a store without MLflow and the network: only a sqlite file can be checked so.

    Raises:
        InputError: the file cannot be used or created.
    """
    database = sqlite_file(uri)
    if database is not None:
        check_database(uri, database)


def contact(uri: str) -> MlflowClient:
    """Return a client as `connect` does, or fail within a few seconds.

    Raises:
        OperationalError: a sqlite database is locked; MLflow would try for minutes.
    """
    if (database := sqlite_file(uri)) is not None and database.exists():
        with contextlib.closing(sqlite3.connect(database, timeout=2)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master")
    with _environment(_FIRST_CONTACT):
        return connect(uri)


def creating() -> contextlib.AbstractContextManager[None]:
    """Wait for a server's answer as long as the connection lasts, and ask once, in a `with` block.

    A request to create something must be sent in such a block. A server that is slow, perhaps
    because its database is locked, goes on with a request whose sender has given up. The next
    request would create a second run.
    """
    return _environment(_CREATING)


@contextlib.contextmanager
def _environment(changes: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def exists(uri: str) -> bool:
    """Return whether there is a store to ask; False before a sqlite database is created."""
    database = sqlite_file(uri)
    return database is None or is_there(database)


@contextlib.contextmanager
def _schema_lock(uri: str) -> Iterator[Path | None]:
    """Let one process at a time inspect and create a sqlite database; yield its file."""
    database = sqlite_file(uri)
    if database is None:
        yield None
        return
    from filelock import FileLock

    database.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(database.parent / f".{database.name}.lock"):
        yield database


def usual_uri() -> str:
    """Return the tracking address of a command without `tracking.uri`, as conf/tracking has it."""
    return os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"


def address(uri: str) -> str:
    """Return the address that names a store: with an absolute path, without a password.

    A server's address has no user either, because it is one store for all its users.
    """
    database = sqlite_file(uri)
    if database is not None:
        return sqlite_address(database)
    shown = without_passwords(uri)
    return re.sub("://[^/@]*@", "://", shown, count=1).rstrip("/") if has_server(shown) else shown


def has_server(uri: str) -> bool:
    """Return whether a store is reached through a server, which has a UI."""
    return uri.lower().startswith(("http://", "https://"))


def same_store(recorded: str, wanted: str) -> bool:
    """Return whether two addresses from `address` name one store, which may have moved.

    Notes of version 0.1.0 hold a user in the address of a server.
    """
    if wanted in {recorded, address(recorded)}:
        return True
    before, now = sqlite_file(recorded), sqlite_file(wanted)
    return bool(before and now and not before.exists() and now.exists())


def provide_experiment(client: MlflowClient, uri: str, name: str) -> Experiment:
    """Return an experiment, which is created if there is none.

    The artifacts of a sqlite database lie in outputs/mlflow beside it; a server chooses a place.

    Raises:
        InputError: the experiment is deleted in MLflow.
    """
    from mlflow.exceptions import MlflowException

    found = experiment_named(client, uri, name)
    if found is None:
        database = sqlite_file(uri)
        place = artifacts_beside(database).as_uri() if database else None
        try:
            made = client.create_experiment(name, artifact_location=place)
            return client.get_experiment(made)
        except MlflowException:
            found = experiment_named(client, uri, name)  # another process was faster
            if found is None:
                raise
    check_active(uri, found)
    return found


def experiment_named(client: MlflowClient, uri: str, name: str) -> Experiment | None:
    """Return an experiment, deleted or not; None if there is none.

    Raises:
        InputError: the store answers with another experiment, so it is no MLflow.
    """
    found = client.get_experiment_by_name(name)
    if found is not None and found.name != name:
        raise InputError(f"tracking.uri={without_passwords(uri)}: {NO_MLFLOW}")
    return found


def check_active(uri: str, experiment: Experiment) -> None:
    """Check that an experiment takes runs.

    Raises:
        InputError: it is deleted in MLflow.
    """
    if experiment.lifecycle_stage == "deleted":
        raise InputError(
            f"tracking.experiment={experiment.name}: is deleted in MLflow; bring it back with "
            f"`MLFLOW_TRACKING_URI={without_passwords(uri)} mlflow experiments restore "
            f"--experiment-id {experiment.experiment_id}`, or name another one"
        )
