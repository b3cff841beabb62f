"""Items 19 and 20 on the command line: refused in one line before anything is created."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.conftest import Program
from tests.faults.servers import bad_server


def assert_refused(program: Program, folder: Path, uri: str, words: str) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    began = time.monotonic()
    done = program(f"tracking.uri={uri}")
    assert time.monotonic() - began < 60
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: tracking.uri=")
    assert words in line
    after = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert {path: time for path, time in after.items() if path.suffix != ".lock"} == before


def test_item_19_a_mistyped_address(offline: Program, digits, tmp_path: Path) -> None:
    assert_refused(offline, tmp_path, "htp://host:5000", "is no kind of address")


@pytest.mark.parametrize(("status", "words"), [(401, "who you are (401)"), (404, "(404)")])
def test_item_19_a_server_that_refuses(
    offline: Program, digits, tmp_path: Path, status: int, words: str
) -> None:
    with bad_server(status) as address:
        assert_refused(offline, tmp_path, address, words)


def test_item_20_an_older_schema_is_not_migrated(offline: Program, digits, tmp_path: Path) -> None:
    database = tmp_path / "old.db"
    MlflowClient(f"sqlite:///{database}").search_experiments(max_results=1)
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'acf3f17fdcc7'")
    connection.close()
    assert_refused(
        offline, tmp_path, f"sqlite:///{database}", f"`mlflow db upgrade sqlite:///{database}`"
    )
