"""Items 19 and 20 on the command line: refused in one line before anything is created."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import pytest
from mlflow import MlflowClient

from experiments.tracking.problems import NO_MLFLOW, problem_of
from experiments.tracking.store import contact, experiment_named
from tests.conftest import Program
from tests.faults.servers import bad_server
from tests.tracking.test_problems import server


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


@pytest.mark.parametrize(
    ("status", "words"),
    [(401, "login (401)"), pytest.param(404, "(404)", marks=pytest.mark.slow)],
)
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


NONSENSE = [
    *("{}", "[]", "null", '"x"', "5", "\x00", '{"experiments": 5}', '{"error_code": "X"}'),
    '{"experiments": [{"experiment_id": {"a": 1}}]}',
    '{"experiments": [{"experiment_id": "1", "name": "mnist"}], "runs": [{"data": 7}]}',
]


@pytest.mark.parametrize("body", NONSENSE)
def test_a_server_that_answers_nonsense_is_no_mlflow(body: str) -> None:
    with server(200, body) as uri, pytest.raises(Exception) as caught:
        experiment_named(contact(uri), uri, "mnist")
    problem = problem_of(caught.value, uri)
    assert problem.mistake
    assert problem.text.endswith(NO_MLFLOW)


def test_a_server_that_answers_nonsense_is_said_at_the_start(
    offline: Program, digits, tmp_path: Path
) -> None:
    with server(200, "{}") as address:
        done = offline(f"tracking.uri={address}")
        shown = address.replace(":secret@", ":***@")
        assert done.stderr == f"error: tracking.uri={shown}: {NO_MLFLOW}\n"
    assert done.returncode == 2
    assert list(tmp_path.iterdir()) == []
