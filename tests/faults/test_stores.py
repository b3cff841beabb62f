"""MLflow's store is new, busy, locked, gone, slow or broken; no point of a metric is lost."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mlflow import MlflowClient

from experiments import journal
from experiments.tracking.tag_names import JOURNAL
from tests.conftest import EXPERIMENTS, clean_environment, command, run_folder
from tests.faults.servers import bad_server, mlflow_server
from tests.programs import finish, start, wait_for_epoch
from tests.tracking.test_store import cold_start

WRITER = """
import sys, uuid
from pathlib import Path
from experiments.journal import Journal
from experiments.tracking.delivery import Delivery
from experiments.tracking.store import connect

folder, uri = Path(sys.argv[1]), sys.argv[2]
folder.mkdir()
client = connect(uri)
with Journal(folder) as journal:
    journal.write("start", id=uuid.uuid4().hex, identity="0" * 64, host="h", pid=1, experiment="e",
                  name=folder.name, params={"a": "b"}, tags={},
                  dataset={"name": "d", "digest": "0", "source": "s"})
    for step in range(1, 101):
        journal.write("metrics", metrics={"loss": 1 / step, "lr": 0.1}, step=step)
        if step % 5 == 0:
            Delivery(folder, uri).deliver(client)
    journal.write("end", status="FINISHED")
Delivery(folder, uri).deliver(client)
"""


def points_of(client: MlflowClient, run_id: str) -> dict[tuple[str, int], list[float]]:
    """Return every value in MLflow, by metric and step."""
    found: dict[tuple[str, int], list[float]] = {}
    for key in client.get_run(run_id).data.metrics:
        for point in client.get_metric_history(run_id, key):
            found.setdefault((key, point.step), []).append(point.value)
    return found


def assert_all_there(client: MlflowClient, folder: Path) -> int:
    """Check that the store has each point of a journal once; return the number of points."""
    past = journal.history(folder)
    runs = client.search_runs([e.experiment_id for e in client.search_experiments()])
    (run,) = [run for run in runs if run.data.tags[JOURNAL] == past.start["id"]]
    assert points_of(client, run.info.run_id) == {key: [v] for key, v in past.points.items()}
    assert run.info.status == past.status == "FINISHED"
    return len(past.points)


@pytest.mark.faults
@pytest.mark.row("first use of a shared sqlite DB")
def test_5_rounds_of_16_cold_processes(tmp_path: Path, record_property) -> None:
    failures = sum(cold_start(tmp_path / f"{number}.db") for number in range(5))
    record_property("figure", f"5 rounds of 16 cold processes: {failures} failures")
    assert failures == 0


@pytest.mark.faults
@pytest.mark.row("sqlite contention")
def test_16_writers_lose_nothing(tmp_path: Path, record_property) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    writers = [
        subprocess.Popen(
            (sys.executable, "-c", WRITER, str(tmp_path / f"writer{number}"), uri),
            env=clean_environment(),
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(16)
    ]
    for writer in writers:
        _, errors = writer.communicate(timeout=300)
        assert writer.returncode == 0, errors
    client = MlflowClient(uri)
    points = sum(assert_all_there(client, tmp_path / f"writer{number}") for number in range(16))
    record_property("figure", f"16 writers at once: {points} of {16 * 200} points arrived, once")
    assert points == 16 * 200


@pytest.mark.faults
@pytest.mark.row("sqlite contention")
def test_a_database_locked_for_60_s_holds_nothing_up(
    tmp_path: Path, root: str, record_property
) -> None:
    finish(start(tmp_path, root, "Slow", "seed=9", "trainer.epochs=1", SLOW="0"))
    began = time.monotonic()
    process = start(tmp_path, root, "Slow", "trainer.epochs=40")
    wait_for_epoch(process, 2)
    with contextlib.closing(sqlite3.connect(tmp_path / "mlflow.db", timeout=30)) as lock:
        lock.execute("BEGIN EXCLUSIVE")
        locked = time.monotonic()
        wait_for_epoch(process, 40)
        assert time.monotonic() - locked < 40
        output, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        ended = time.monotonic() - began
        assert "MLflow has not taken all of this run: " in output
        assert "database is locked by another program" in output
        time.sleep(max(0, 60 - (time.monotonic() - locked)))
        lock.rollback()
    (folder,) = [path.parent for path in tmp_path.glob("outputs/2*/*/journal.jsonl")
                 if journal.history(path.parent).start["params"]["seed"] == "0"]  # fmt: skip
    done = command(EXPERIMENTS, "sync", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    points = assert_all_there(client, folder)
    record_property(
        "figure",
        f"locked for 60 s: 40 epochs went on and ended with exit code 0 after {ended:.0f} s, then "
        f"{points} points arrived, each once",
    )


@pytest.mark.faults
@pytest.mark.row("tracking server down")
@pytest.mark.parametrize("status", [None, 500, 503], ids=["hangs", "500", "503"])
def test_a_run_without_its_server_is_delivered_later(
    tmp_path: Path, root: str, record_property, status: int | None
) -> None:
    with bad_server(status) as address:
        began = time.monotonic()
        process = start(tmp_path, root, "Slow", "trainer.epochs=5", f"tracking.uri={address}")
        output = finish(process)
        seconds = time.monotonic() - began
    assert "The run goes on, and `experiments sync` delivers it later" in output
    assert "MLflow has not taken all of this run: " in output
    folder = run_folder(tmp_path)
    with mlflow_server(tmp_path) as server:
        address = server.address
        first = command(EXPERIMENTS, "sync", "--uri", address, cwd=tmp_path)
        assert "1 delivered, 0 failed" in first.stdout, first.stderr
        client = MlflowClient(address)
        points = assert_all_there(client, folder)
        (folder / "mlflow.json").unlink()  # as if no delivery had been noted
        again = command(EXPERIMENTS, "sync", "--uri", address, cwd=tmp_path)
        assert "1 delivered, 0 failed" in again.stdout, again.stderr
        assert assert_all_there(client, folder) == points
    what = "hangs" if status is None else f"answers {status}"
    record_property(
        "figure",
        f"{what} for the whole run: exit code 0 after {seconds:.0f} s with a warning; `experiments "
        f"sync` to a real server: {points} points; replayed: 0 duplicates",
    )
