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

from experiments.secret_forms import without_passwords

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

    with _schema_lock(uri) as database:
        if database is not None and not database.exists():
            _create(database)
        client = MlflowClient(uri)
        client.search_experiments(max_results=1)
    return client


def _create(database: Path) -> None:
    """Create a database whole or not at all, with an index on tags by their value.

    Killed while it makes its tables, MLflow leaves a database that it cannot use and cannot mend.
    And it has no such index, so that finding an identity would take longer with every run.
    """
    from mlflow import MlflowClient

    staged = database.with_name(f".{database.name}.partial")
    staged.unlink(missing_ok=True)
    MlflowClient(f"sqlite:///{staged}").search_experiments(max_results=1)
    with contextlib.closing(sqlite3.connect(staged)) as connection, connection:
        connection.execute("CREATE INDEX index_tags_key_value ON tags (key, value)")
    staged.replace(database)


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
def _schema_lock(uri: str) -> Iterator[Path | None]:
    """Let one process at a time look at a sqlite database and create it; yield its file."""
    database = sqlite_file(uri)
    if database is None:
        yield None
        return
    from filelock import FileLock

    database.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(database.parent / f".{database.name}.lock"):
        yield database


def sqlite_file(uri: str) -> Path | None:
    """Return the file behind a sqlite address; None for any other address."""
    scheme, found, path = uri.partition(":///")
    if not found or scheme.partition("+")[0] != "sqlite":
        return None
    return Path(url2pathname(path.partition("?")[0])).resolve()


def address(uri: str) -> str:
    """Return a tracking address that holds no password and means the same in every folder."""
    database = sqlite_file(uri)
    return without_passwords(uri) if database is None else f"sqlite:///{database}"


def same_store(recorded: str, wanted: str) -> bool:
    """Return whether two addresses from `address` are one store, perhaps moved with its folder."""
    if recorded == wanted:
        return True
    before, now = sqlite_file(recorded), sqlite_file(wanted)
    return bool(before and now and not before.exists() and now.exists())


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
