"""The MLflow store: a client to it, its experiments, and what it complains about."""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import url2pathname

from experiments.redaction import without_passwords

if TYPE_CHECKING:
    from mlflow import MlflowClient

# Where the user has set nothing: no usage reports, and an answer within seconds, not minutes.
_DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}
_FIRST_CONTACT = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "2"}


def preload(uri: str) -> None:
    """Import what `connect` will need, without touching the store."""
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    importlib.import_module("mlflow")
    if sqlite_file(uri) is not None:
        importlib.import_module("mlflow.store.tracking.sqlalchemy_store")


@functools.lru_cache(maxsize=4)
def connect(uri: str) -> MlflowClient:
    """Return a client; a database is created where there is none, one process at a time."""
    preload(uri)
    from mlflow import MlflowClient

    with _schema_lock(uri):
        client = MlflowClient(uri)
        client.search_experiments(max_results=1)
    return client


def contact(uri: str) -> MlflowClient:
    """Return a client as `connect` does, or fail within few seconds.

    Raises:
        OperationalError: a sqlite database cannot be opened or read; MLflow would try for minutes.
    """
    if (database := sqlite_file(uri)) is not None and database.exists():
        with contextlib.closing(sqlite3.connect(database, timeout=2)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master")
    before = {name: os.environ.get(name) for name in _FIRST_CONTACT}
    os.environ.update(_FIRST_CONTACT)
    try:
        return connect(uri)
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def exists(uri: str) -> bool:
    """Return whether there is a store to ask: false for a sqlite database still to be created."""
    database = sqlite_file(uri)
    return database is None or database.exists()


@contextlib.contextmanager
def _schema_lock(uri: str) -> Iterator[None]:
    """Let one process at a time create the database, with an index on tags by their value.

    MLflow has none, so that finding an identity would take longer with every run. A database that
    is there already is left as it is.
    """
    database = sqlite_file(uri)
    if database is None:
        yield
        return
    from filelock import FileLock

    database.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(database.parent / f".{database.name}.lock"):
        is_new = not database.exists()
        yield
        if is_new:
            with contextlib.closing(sqlite3.connect(database)) as connection, connection:
                connection.execute("CREATE INDEX index_tags_key_value ON tags (key, value)")


def sqlite_file(uri: str) -> Path | None:
    """Return the file behind a sqlite address; None for any other address."""
    scheme, found, path = uri.partition(":///")
    if not found or scheme.partition("+")[0] != "sqlite":
        return None
    return Path(url2pathname(path.partition("?")[0])).absolute()


def address(uri: str) -> str:
    """Return a tracking address that holds no password and means the same in every folder."""
    database = sqlite_file(uri)
    return without_passwords(uri) if database is None else f"sqlite:///{database}"


def experiment_id(client: MlflowClient, uri: str, name: str) -> str:
    """Return the id of an experiment, created where there is none.

    Beside a sqlite database the artifacts lie in outputs/mlflow; a server decides for itself.
    """
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is None:
        database = sqlite_file(uri)
        place = (database.parent / "outputs" / "mlflow").as_uri() if database else None
        try:
            return client.create_experiment(name, artifact_location=place)
        except MlflowException:
            found = client.get_experiment_by_name(name)  # another process was faster
            if found is None:
                raise
    return found.experiment_id


def rename_run(uri: str, run_id: str, wanted: str) -> str:
    """Give a run that has nothing but tags the id that it had in a database that is lost.

    Return its id then: where the store is not sqlite, the one it has.
    """
    database = sqlite_file(uri)
    if database is None or run_id == wanted:
        return run_id
    with contextlib.closing(sqlite3.connect(database, timeout=60)) as connection, connection:
        connection.execute("UPDATE tags SET run_uuid = ? WHERE run_uuid = ?", (wanted, run_id))
        connection.execute(
            "UPDATE runs SET run_uuid = ?1, artifact_uri = replace(artifact_uri, ?2, ?1) "
            "WHERE run_uuid = ?2",
            (wanted, run_id),
        )
    return wanted
