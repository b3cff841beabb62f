"""The time to find the finished run of an identity among 50 to 5,000 runs."""

from __future__ import annotations

import contextlib
import secrets
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.report import as_command, report, spread
from experiments.registry.identities import claimed, look_up
from experiments.tracking.lookup import find
from experiments.tracking.store import connect

SIZES = (50, 500, 5000)
REPEATS = 30
TAGS, PARAMS, METRICS = 15, 30, 6  # similar to a run of this project


def fill(database: Path, runs: int) -> list[str]:
    """Insert runs into a store's tables, since MLflow would take minutes; return identities."""
    identities = [secrets.token_hex(32) for _ in range(runs)]
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        for identity in identities:
            run = secrets.token_hex(16)
            connection.execute(
                "INSERT INTO runs (run_uuid, name, source_type, user_id, status, start_time, "
                "end_time, lifecycle_stage, artifact_uri, experiment_id) VALUES "
                "(?1, ?1, 'LOCAL', 'me', 'FINISHED', 1, 2, 'active', '', 1)",
                (run,),
            )
            tags = [
                ("identity", identity),
                *((f"tag{n}", secrets.token_hex(20)) for n in range(TAGS)),
            ]
            params = [(f"param{n}", "0.1") for n in range(PARAMS)]
            for table, pairs in (("tags", tags), ("params", params)):
                connection.executemany(
                    f"INSERT INTO {table} (key, value, run_uuid) VALUES (?, ?, ?)",
                    [(*pair, run) for pair in pairs],
                )
            connection.executemany(
                "INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid) "
                "VALUES (?, 0.5, 1, 1, 0, ?)",
                [(f"metric{n}", run) for n in range(METRICS)],
            )
    return identities


def finish_runs(outputs: Path, identities: list[str]) -> None:
    """Write a folder with the journal of a finished run for each identity."""
    for identity in identities:
        folder = outputs / identity[:12]
        folder.mkdir(parents=True)
        with claimed(outputs, identity, folder, earlier=None) as journal:
            journal.write("start", identity=identity)
            for epoch in range(10):
                journal.write("metrics", metrics={"train_loss": 0.1, "lr": 0.1}, step=epoch)
            journal.write("end", status="FINISHED")


def milliseconds(search: Callable[[str], object], identities: list[str]) -> list[float]:
    """Return the milliseconds of searches for identities that exist."""
    taken = []
    for identity in identities[:: max(1, len(identities) // REPEATS)][:REPEATS]:
        began = time.perf_counter()
        assert search(identity) is not None
        taken.append(1000 * (time.perf_counter() - began))
    return taken[1:]  # the first one compiles the query


def main() -> None:
    """Measure and report."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder, size = Path(name), 0
        uri = f"sqlite:///{folder}/mlflow.db"
        client = connect(uri)
        client.create_experiment("mnist")
        for wanted in SIZES:
            identities = fill(folder / "mlflow.db", wanted - size)
            finish_runs(folder / "outputs", identities)
            size = wanted
            here = milliseconds(
                lambda i: look_up(folder / "outputs", i, folder / "new"), identities
            )
            there = milliseconds(lambda i: find(client, i), identities)
            rows.append([f"{size:,}", spread(here, "{:.2f}"), spread(there, "{:.1f}")])
    header = ("runs", "in outputs/, ms", "in MLflow's database, ms")
    report("lookup", "Finding the finished run of an identity", header, rows)


if __name__ == "__main__":
    as_command(main, __doc__)
