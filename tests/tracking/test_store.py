"""The store is made once, by whoever comes first, and tells no passwords."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient

from experiments.tracking.store import connect, experiment_id, sqlite_file


def test_an_experiment_is_made_once(client: MlflowClient, uri: str) -> None:
    assert experiment_id(client, uri, "once") == experiment_id(client, uri, "once")


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


def test_16_cold_processes_at_once_make_one_database(tmp_path: Path) -> None:
    """The row "first use of a shared sqlite DB" of docs/reliability.md; one of its rounds."""
    program = (
        "import os, sys\n"
        "from experiments.tracking.store import connect, experiment_id\n"
        "import mlflow\n"
        "children = []\n"
        "for _ in range(16):\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        client = connect(sys.argv[1])\n"
        "        client.create_run(experiment_id(client, sys.argv[1], 'cold'))\n"
        "        os._exit(0)\n"
        "    children.append(child)\n"
        "print(sum(os.waitpid(child, 0)[1] != 0 for child in children), 'failed')\n"
    )
    uri = f"sqlite:///{tmp_path}/cold.db"
    done = subprocess.run(
        [sys.executable, "-c", program, uri],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout == "0 failed\n", done.stderr
    client = connect(uri)
    experiment = client.get_experiment_by_name("cold")
    assert len(client.search_runs([experiment.experiment_id])) == 16
