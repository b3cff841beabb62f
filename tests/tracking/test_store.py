"""The store is created once, by the first process, and shows no passwords."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient

from experiments.tracking.store import connect, provide_experiment, sqlite_file
from tests.programs import wait_until


def test_an_experiment_is_made_once(client: MlflowClient, uri: str) -> None:
    first, again = (provide_experiment(client, uri, "once") for _ in range(2))
    assert first.experiment_id == again.experiment_id


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("sqlite:////a/b.db", Path("/a/b.db")),
        ("sqlite+pysqlite:////a/b.db?timeout=3", Path("/a/b.db")),
        ("sqlite:///b.db", Path.cwd() / "b.db"),
        ("http://127.0.0.1:5000", None),
        ("postgresql://host/db", None),
        ("file:///somewhere", None),
    ],
)
def test_sqlite_file(uri: str, path: Path | None) -> None:
    assert sqlite_file(uri) == path


def cold_start(database: Path) -> int:
    """Let 16 processes create one store at once; return the number of failures."""
    program = (
        "import os, sys\n"
        "from experiments.tracking.store import connect, provide_experiment\n"
        "import mlflow\n"
        "children = []\n"
        "for _ in range(16):\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        client = connect(sys.argv[1])\n"
        "        client.create_run(provide_experiment(client, sys.argv[1], 'cold').experiment_id)\n"
        "        os._exit(0)\n"
        "    children.append(child)\n"
        "print(sum(os.waitpid(child, 0)[1] != 0 for child in children))\n"
    )
    uri = f"sqlite:///{database}"
    done = subprocess.run(
        [sys.executable, "-c", program, uri],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    client = connect(uri)
    experiment = client.get_experiment_by_name("cold")
    there = len(client.search_runs([experiment.experiment_id])) if experiment else 0
    return max(int(done.stdout), 16 - there)


@pytest.mark.slow
def test_16_cold_processes_at_once_make_one_database(tmp_path: Path) -> None:
    """One round of the row "first use of a shared sqlite DB"; `make test-faults` has five."""
    assert cold_start(tmp_path / "cold.db") == 0


def test_a_new_database_finds_tags_by_their_value(tmp_path: Path) -> None:
    connect(f"sqlite:///{tmp_path}/new.db")
    query = "EXPLAIN QUERY PLAN SELECT * FROM tags WHERE key = 'identity' AND value = '0'"
    with contextlib.closing(sqlite3.connect(tmp_path / "new.db")) as connection:
        assert "index_tags_key_value (key=? AND value=?)" in str(
            connection.execute(query).fetchall()
        )


@pytest.mark.slow
def test_killed_while_it_makes_the_database_nothing_is_in_the_way(tmp_path: Path) -> None:
    program = "import sys; from experiments.tracking.store import connect; connect(sys.argv[1])"
    uri, staged = f"sqlite:///{tmp_path}/new.db", tmp_path / ".new.db.partial"
    for size in (1, 100_000, 300_000):
        process = subprocess.Popen((sys.executable, "-c", program, uri), stderr=subprocess.DEVNULL)
        wait_until(lambda: staged.exists() and staged.stat().st_size >= size)  # noqa: B023
        process.kill()
        process.wait()
        assert not (tmp_path / "new.db").exists()
    assert connect(uri).search_experiments()
    assert not staged.exists()


def test_a_database_of_the_user_s_is_left_as_it_is(tmp_path: Path) -> None:
    database = tmp_path / "theirs.db"
    MlflowClient(f"sqlite:///{database}").search_experiments(max_results=1)
    before = database.read_bytes()
    connect(f"sqlite:///{database}")
    assert database.read_bytes() == before
