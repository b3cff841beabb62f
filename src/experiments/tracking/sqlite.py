"""A sqlite file as the store: its address, and checks of the file, without MLflow."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path
from urllib.parse import quote, unquote

from experiments.errors import InputError
from experiments.files.folders import check_writable

_MAGIC = b"SQLite format 3\0"
_ASIDE = "move it away, and `experiments sync --rebuild` makes it again from outputs/"


def sqlite_file(uri: str) -> Path | None:
    """Return the file behind a sqlite address; None for any other address."""
    scheme, found, path = uri.partition(":///")
    if not found or scheme.partition("+")[0] != "sqlite":
        return None
    return Path(unquote(path.partition("?")[0])).resolve()


def sqlite_address(database: Path) -> str:
    """Return the address of a sqlite file, quoted as SQLAlchemy reads it.

    A quoted address names the driver too. For a plain `sqlite:///` address MLflow would make the
    file's folder, with the quoted characters taken literally.
    """
    path = str(database)
    quoted = "".join(quote(char) if char in "?#%" else char for char in path)
    return f"sqlite:///{path}" if quoted == path else f"sqlite+pysqlite:///{quoted}"


def is_there(database: Path) -> bool:
    """Return whether a database exists; an empty file, left by a failed attempt, is none."""
    return database.exists() and (database.is_dir() or database.stat().st_size > 0)


def check_database(uri: str, database: Path) -> None:
    """Check that a database can be written, or created if there is none.

    A database that another program has locked passes.

    Raises:
        InputError: it cannot be written or created; the text names the remedy.
    """
    said = f"tracking.uri={uri}"
    query = uri.partition("?")[2]
    if query and "=" not in query.partition("&")[0]:
        raise InputError(
            f"{said}: the text after ? is no option of sqlite; write %3F for a ? in a path"
        )
    if database.name == ":memory:":
        raise InputError(f"{said}: forgets all when a process ends; name a file")
    check_writable("tracking.uri", database.parent)
    if not is_there(database):
        return
    if not database.is_file():
        raise InputError(f"{said}: {database} is no file; name another one")
    if problem := _problem(database):
        raise InputError(f"{said}: {problem}")


def _problem(database: Path) -> str | None:
    effective = os.access in os.supports_effective_ids
    if not os.access(database, os.R_OK | os.W_OK, effective_ids=effective):
        return "the database is read-only; make it and its folder readable and writable"
    with database.open("rb") as file:
        magic = file.read(len(_MAGIC))
    if magic != _MAGIC:
        return f"the file is not a database; name another file, or {_ASIDE}"
    try:
        with contextlib.closing(sqlite3.connect(database, timeout=0)) as connection:
            # This rolls back the changes of a killed writer, and keeps other processes out.
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("SELECT count(*) FROM sqlite_master")
            connection.execute("ROLLBACK")
    except sqlite3.DatabaseError as error:
        if "locked" in str(error):
            return None
        return f"the database is damaged ({error}); restore it, or {_ASIDE}"
    return None


def has_run(database: Path, run_id: str) -> bool:
    """Return whether a database can be read and has a run that is not deleted."""
    if not is_there(database):
        return False
    try:
        with contextlib.closing(sqlite3.connect(database, timeout=2)) as connection:
            query = "SELECT lifecycle_stage FROM runs WHERE run_uuid = ?"
            return bool(connection.execute(query, (run_id,)).fetchone() == ("active",))
    except sqlite3.DatabaseError:
        return False  # a delivery to it reports the problem


def rename_run(database: Path, run_id: str, wanted: str) -> None:
    """Give a run the id that it had in a lost database; it may have tags, but no other data."""
    with contextlib.closing(sqlite3.connect(database, timeout=60)) as connection, connection:
        connection.execute("UPDATE tags SET run_uuid = ? WHERE run_uuid = ?", (wanted, run_id))
        connection.execute(
            "UPDATE runs SET run_uuid = ?1, artifact_uri = replace(artifact_uri, ?2, ?1) "
            "WHERE run_uuid = ?2",
            (wanted, run_id),
        )


def artifacts_beside(database: Path) -> Path:
    """Return the folder for the artifacts of a database that this project has made."""
    return database.parent / "outputs" / "mlflow"


def follow_a_move(database: Path) -> None:
    """Correct the paths in a database that was moved or copied with its project.

    MLflow stores absolute paths. The paths of this project end in `outputs/mlflow` beside the
    database. A path that ends so in another folder shows the project's former place. The paths of
    artifacts that are still in the former place only are kept.
    """
    here = artifacts_beside(database)
    with contextlib.closing(sqlite3.connect(database, timeout=60)) as connection, connection:
        made = connection.execute(
            "SELECT DISTINCT artifact_location FROM experiments "
            "WHERE artifact_location LIKE 'file:///%/outputs/mlflow' AND artifact_location != ?",
            (here.as_uri(),),
        ).fetchall()
        if not made or not here.is_dir():
            return
        for (before,) in made:
            _move(connection, before, here)


def _move(connection: sqlite3.Connection, before: str, here: Path) -> None:
    connection.execute(
        "UPDATE experiments SET artifact_location = ? WHERE artifact_location = ?",
        (here.as_uri(), before),
    )
    runs = connection.execute(
        "SELECT run_uuid, artifact_uri FROM runs WHERE substr(artifact_uri, 1, ?) = ?",
        (len(before) + 1, f"{before}/"),
    ).fetchall()
    come_along = [
        (f"{here.as_uri()}/{rest}", run_id)
        for run_id, place in runs
        if (here / unquote(rest := place.removeprefix(f"{before}/"))).exists()
        or not Path(unquote(place.removeprefix("file://"))).exists()
    ]
    connection.executemany("UPDATE runs SET artifact_uri = ? WHERE run_uuid = ?", come_along)
    was = unquote(before.removeprefix("file://")).removesuffix("/outputs/mlflow")
    now = str(here.parent.parent)
    connection.execute(
        "UPDATE tags SET value = ?1 || substr(value, ?2) "
        "WHERE key = 'folder' AND substr(value, 1, ?2) = ?3",
        (now, len(was) + 1, f"{was}/"),
    )
