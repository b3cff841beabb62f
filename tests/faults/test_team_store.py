"""A team's store: PostgreSQL behind an MLflow server with logins, and 16 runs at once."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import pytest
from mlflow import MlflowClient
from mlflow.entities import LoggedModelStatus, ViewType

from experiments import journal
from tests.conftest import EXPERIMENTS, command
from tests.faults.postgres import Postgres, postgres
from tests.faults.servers import MlflowServer, mlflow_server
from tests.faults.test_stores import assert_all_there
from tests.programs import holding, release, start, wait_until

RUNS, EPOCHS = 16, 4
BATCHES = 22  # in an epoch
LONG = 600  # seconds for 16 runs on a busy machine
LACKS = "MLflow has not taken all of this run: "
CREATE = """
from mlflow import MlflowClient
MlflowClient("{address}").create_experiment("{name}")
"""


@dataclass(frozen=True)
class Team:
    database: Postgres
    server: MlflowServer
    ann: dict[str, str]
    """the environment with her login"""


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    folder = tmp_path_factory.mktemp("server")
    with (
        postgres() as database,
        mlflow_server(folder, database.uri("mlflow"), database.uri("mlflow_auth")) as server,
    ):
        server.add_users()
        yield Team(database, server, dict(server.login("ann", "anns-first-password")))


@pytest.fixture
def client(team: Team, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    for name, value in team.ann.items():
        monkeypatch.setenv(name, value)
    return MlflowClient(team.server.address)


def runs_in(client: MlflowClient, experiment: str) -> list:
    found = client.get_experiment_by_name(experiment)
    return client.search_runs([found.experiment_id], run_view_type=ViewType.ALL) if found else []


def journals(folder: Path) -> list[Path]:
    return [path.parent for path in folder.glob("outputs/*/*/journal.jsonl")]


@contextlib.contextmanager
def killed(what: str, team: Team) -> Iterator[None]:
    """Kill the server or the database, and start it again at the end."""
    if what == "the server":
        team.server.stop(signal.SIGKILL)
    else:
        team.database.stop()
    try:
        yield
    finally:
        (team.server if what == "the server" else team.database).start()


def begin(folder: Path, root: str, team: Team, experiment: str) -> list[subprocess.Popen[str]]:
    """Begin the runs; each trains two epochs at full speed and then waits for `release`."""
    first = 0 if experiment == "server" else RUNS  # finished runs are not trained again
    usual = (f"trainer.epochs={EPOCHS}", "trainer.threads=1", "tracking.log_model=true")
    place = (f"tracking.uri={team.server.address}", f"tracking.experiment={experiment}")
    pace = holding(folder, after=2 * BATCHES)
    return [
        start(folder, root, "Slow", *usual, *place, f"seed={first + number}", **pace, **team.ann)
        for number in range(RUNS)
    ]


@pytest.mark.faults
@pytest.mark.row("a store for a team")
@pytest.mark.parametrize("what", ["the server", "the database"])
def test_16_runs_while_it_is_killed_and_restarted(
    what: str, team: Team, client: MlflowClient, tmp_path: Path, root: str, record_property
) -> None:
    experiment = what.removeprefix("the ")
    if what == "the database":  # then ann may not delete anything in the experiment
        team.server.as_admin(CREATE.format(address=team.server.address, name=experiment))
    began = time.monotonic()
    processes = begin(tmp_path, root, team, experiment)
    wait_until(lambda: sum(bool(run.data.metrics) for run in runs_in(client, experiment)) > 3, LONG)
    arrived = sum(bool(run.data.metrics) for run in runs_in(client, experiment))
    with killed(what, team):
        assert arrived < RUNS
        wait_until(lambda: has_trained(tmp_path, epochs=2) == RUNS or early_ends(processes), LONG)
        assert early_ends(processes) == []
    release(tmp_path)
    outputs = [process.communicate(timeout=LONG) for process in processes]
    assert [process.returncode for process in processes] == [0] * RUNS
    assert {errors for _, errors in outputs} == {""}
    ended = time.monotonic() - began
    lacking = sum(LACKS in output for output, _ in outputs)
    if lacking:
        done = command(EXPERIMENTS, "sync", cwd=tmp_path, **team.ann)
        assert done.returncode == 0, done.stderr
    wait_until(lambda: len(models(client, experiment)) == RUNS, LONG)
    points = assert_once(client, tmp_path, experiment)
    again = command(EXPERIMENTS, "sync", cwd=tmp_path, **team.ann)
    assert again.stdout == f"0 delivered, 0 failed, 0 still running, {RUNS} had no need\n"
    record_property(
        "figure",
        f"{what} killed when {arrived} of {RUNS} runs had arrived, and restarted: the commands "
        f"ended after {ended:.0f} s, {lacking} of them asked for `experiments sync`; {RUNS} runs, "
        f"{points} points, all artifacts and {RUNS} models are there, each once",
    )


def early_ends(processes: Sequence[subprocess.Popen[str]]) -> list[tuple[str, str]]:
    """Return the output of the processes that have ended."""
    return [process.communicate() for process in processes if process.poll() is not None]


def has_trained(folder: Path, *, epochs: int) -> int:
    """Return the number of runs with so many epochs in their journals."""
    past = [journal.history(path) for path in journals(folder)]
    return sum(("train_loss", epochs) in each.points for each in past)


def models(client: MlflowClient, experiment: str) -> list[str]:
    """Return the runs whose models are whole; a run with two of them is in the list twice."""
    found = client.search_logged_models([client.get_experiment_by_name(experiment).experiment_id])
    return [model.source_run_id for model in found if model.status == LoggedModelStatus.READY]


def assert_once(client: MlflowClient, folder: Path, experiment: str) -> int:
    """Check that the store has each run with its artifacts and model once; return its points."""
    folders, runs = journals(folder), runs_in(client, experiment)
    assert len(folders) == len(runs) == RUNS
    for each in folders:
        (run,) = [run for run in runs if run.data.tags["folder"] == str(each)]
        names = [name for event in journal.read(each)[0] for name in event.get("names", ())]
        stored = [artifact.path for artifact in client.list_artifacts(run.info.run_id)]
        assert sorted(stored) == sorted(set(names))
    assert sorted(models(client, experiment)) == sorted(run.info.run_id for run in runs)
    return sum(assert_all_there(client, each) for each in folders)


@pytest.mark.faults
@pytest.mark.row("a store for a team")
def test_a_slow_database_makes_no_second_run(
    team: Team, client: MlflowClient, tmp_path: Path, root: str, record_property
) -> None:
    team.server.as_admin(CREATE.format(address=team.server.address, name="slow"))
    waiting = (
        "SELECT max(extract(epoch FROM now() - query_start)) FROM pg_stat_activity "
        "WHERE wait_event_type = 'Lock'"
    )
    with psycopg2.connect(team.database.dsn("mlflow")) as lock:
        lock.cursor().execute("LOCK TABLE runs IN SHARE ROW EXCLUSIVE MODE")
        overrides = (f"tracking.uri={team.server.address}", "tracking.experiment=slow")
        process = start(tmp_path, root, "Slow", "trainer.epochs=1", *overrides, **team.ann)

        def is_late() -> bool:
            with psycopg2.connect(team.database.dsn("mlflow")) as look, look.cursor() as cursor:
                cursor.execute(waiting)
                return float(cursor.fetchone()[0] or 0) > 15

        wait_until(is_late)
    lock.close()
    output, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (0, "")
    assert LACKS not in output
    assert_all_there(client, journals(tmp_path)[0])
    assert len(runs_in(client, "slow")) == 1
    record_property("figure", "a database locked for 15 s while a run is created: 1 run")
