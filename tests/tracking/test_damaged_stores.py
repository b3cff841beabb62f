"""A database that is damaged, read-only or impossible to create is reported once, or repaired."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
from pathlib import Path

import pytest
from mlflow import MlflowClient

from experiments.errors import InputError
from experiments.tracking.store import check_store, connect
from tests.conftest import Program, command, run_folder
from tests.tracking.conftest import TRAIN, usual
from tests.tracking.test_places import assert_whole, sync


def damage(database: Path, how: str) -> None:
    content = database.read_bytes()
    match how:
        case "truncated":
            database.write_bytes(content[: len(content) // 2])
        case "a few bytes":
            database.write_bytes(content[:50])
        case "no database":
            database.write_bytes(b"<html>" * 1000)
        case "scrambled":
            database.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
        case "a folder":
            database.unlink()
            database.mkdir()


DAMAGED = ["truncated", "a few bytes", "no database", "scrambled", "a folder"]


@pytest.mark.parametrize("how", DAMAGED)
def test_a_damaged_database_is_found(finished: Path, how: str) -> None:
    damage(finished / "mlflow.db", how)
    with pytest.raises(InputError, match=r"^tracking.uri=sqlite:\S+: .*(name|restore|move) "):
        check_store(f"sqlite:///{finished}/mlflow.db")


def test_a_damaged_database_is_said_at_the_start_and_once(
    offline: Program, finished: Path, root: str
) -> None:
    assert offline("tracking=mlflow", "seed=1").returncode == 0
    database = finished / "mlflow.db"
    damage(database, "truncated")
    before = sorted(finished.rglob("*"))
    for done in (
        offline("tracking=mlflow", "seed=2"),
        command(*TRAIN, "-m", *usual(root), "seed=2,3", cwd=finished),
    ):
        assert done.returncode == 2
        (line,) = done.stderr.splitlines()
        assert line.startswith("error: tracking.uri=sqlite:///mlflow.db: the database is damaged")
    assert sorted(finished.rglob("*")) == before

    refused = sync(finished, "--rebuild")
    assert refused.returncode == 1
    assert len(refused.stderr.splitlines()) == 1, refused.stderr
    assert "2 failed" in refused.stdout
    shutil.move(database, finished / "aside.db")
    assert "2 delivered" in sync(finished, "--rebuild").stdout


@pytest.mark.parametrize(
    "uri",
    ["sqlite:////dev/null/x.db", "sqlite:///{}/file/x.db", "sqlite:////proc/x.db"],
)
def test_a_database_that_can_never_be_made_is_found(tmp_path: Path, uri: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"^tracking.uri="):
        check_store(uri.format(tmp_path))
    with pytest.raises(InputError, match="forgets all when a process ends; name a file"):
        check_store("sqlite:///:memory:")


def test_a_database_that_can_never_be_made_is_said_at_the_start(
    offline: Program, tmp_path: Path
) -> None:
    done = offline("tracking.uri=sqlite:////dev/null/x.db")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: tracking.uri=/dev/null: cannot write in /dev/null")
    assert list(tmp_path.iterdir()) == []


def test_a_read_only_database_is_found() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        database = folder / "mlflow.db"
        connect(f"sqlite:///{database}")
        for place, mode in ((database, 0o444), (folder, 0o555)):
            for each in (folder, database):
                each.chmod(0o777)
            place.chmod(mode)
            child = os.fork()
            if child == 0:
                said = "nothing"
                try:
                    if os.geteuid() == 0:  # no permission stops root
                        os.seteuid(65534)
                    check_store(f"sqlite:///{database}")
                except BaseException as error:  # noqa: BLE001  (this process must not go on)
                    said = f"{type(error).__name__}: {error}"
                finally:
                    os._exit(0 if said.startswith("InputError: tracking.uri=") else 1)
            assert os.waitpid(child, 0)[1] == 0, place


def test_an_empty_file_is_made_a_database(offline: Program, tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").touch()
    assert offline("tracking=mlflow").returncode == 0
    assert_whole(tmp_path / "mlflow.db")
    assert run_folder(tmp_path)


def test_a_writer_that_was_killed_leaves_a_sound_database(tmp_path: Path) -> None:
    """Sqlite's journal lies beside the file, and the header counts pages that are missing."""
    database, torn = tmp_path / "mlflow.db", tmp_path / "torn"
    connect(f"sqlite:///{database}")
    torn.mkdir()
    with contextlib.closing(sqlite3.connect(database)) as writing:
        writing.execute("PRAGMA cache_size = 2")  # so that pages are written before the commit
        writing.execute("BEGIN IMMEDIATE")
        writing.execute("CREATE TABLE large (value)")
        writing.executemany("INSERT INTO large VALUES (?)", [("x" * 5000,) for _ in range(300)])
        for path in tmp_path.glob("mlflow.db*"):
            shutil.copy(path, torn / path.name)
        writing.rollback()
    assert (torn / "mlflow.db-journal").stat().st_size > 0
    check_store(f"sqlite:///{torn}/mlflow.db")
    assert MlflowClient(f"sqlite:///{torn}/mlflow.db").search_experiments()
