"""A server with logins: a refused user gets one line that names the remedy, and nothing is created.

The server is MLflow's own, with its basic authentication, as docs/team-store.md sets it up.
"""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from experiments.tracking.logins import login_to
from experiments.tracking.store import address, same_store
from tests.conftest import EXPERIMENTS, TRAIN, cases, forked
from tests.faults.servers import ADMIN, MlflowServer, mlflow_server
from tests.tracking.conftest import usual

USERS = """
from mlflow import MlflowClient
from mlflow.server import get_app_client
users, client = get_app_client("basic-auth", "{address}"), MlflowClient("{address}")
users.create_user("reader", "readers-password")
experiment = client.create_experiment("closed")
for name in ("ann", "reader"):
    users.grant_user_permission(name, "experiment", experiment, "DENY")
users.grant_user_permission("reader", "experiment", client.create_experiment("digits"), "READ")
"""
ANN, READER = ("ann", "anns-first-password"), ("reader", "readers-password")
UNSEEN = "tracking.experiment=closed: user ann may not write to it (403); ask the administrator of"
UNWRITABLE = "tracking.experiment=digits: user reader may not write to it (403); ask the administr"
PLACES = "check MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or ~/.mlflow/credentials"
REFUSED: dict[str, tuple[tuple[str, str], str, str]] = {
    "wrong password": (("ann", "wrong"), "digits", f"the login of user ann (401); {PLACES}"),
    "may only read": (READER, "digits", UNWRITABLE),
    "no login": (("", ""), "digits", "asks for a login (401); set MLFLOW_TRACKING_USERNAME and"),
    "unknown user": (("eve", "anns-first-password"), "digits", f"of user eve (401); {PLACES}"),
    "may not even read": (ANN, "closed", UNSEEN),
}

pytestmark = pytest.mark.xdist_group("logins")  # one worker starts the server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    folder = tmp_path_factory.mktemp("server")
    with mlflow_server(folder, logins=f"sqlite:///{folder}/auth.db") as server:
        server.add_users()
        server.as_admin(USERS.format(address=server.address))
        yield server


@pytest.fixture
def store(server: MlflowServer, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    for name, value in ADMIN.items():
        monkeypatch.setenv(name, value)
    return MlflowClient(server.address)


def number_of_runs(store: MlflowClient) -> int:
    return len(store.search_runs([each.experiment_id for each in store.search_experiments()]))


def program(
    server: MlflowServer, folder: Path, login: tuple[str, str], *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run a command with a login in the environment, and without the developer's own."""
    return forked(*arguments, cwd=folder, **server.login(*login), HOME=str(folder / "home"))


@pytest.mark.parametrize(("login", "experiment", "words"), cases(REFUSED, 2))
def test_who_is_refused_is_told_in_one_line_and_nothing_is_created(
    server: MlflowServer,
    store: MlflowClient,
    digits,
    root: str,
    tmp_path: Path,
    login: tuple[str, str],
    experiment: str,
    words: str,
) -> None:
    before = number_of_runs(store)
    override = f"tracking.experiment={experiment}"
    done = program(server, tmp_path, login, TRAIN, *usual(root), override)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: tracking.")
    assert words in line
    assert login[1] == "" or login[1] not in line
    assert list(tmp_path.iterdir()) == []
    assert number_of_runs(store) == before


@pytest.mark.slow
def test_sync_says_it_too_and_delivers_with_the_right_login(
    server: MlflowServer, store: MlflowClient, digits, root: str, tmp_path: Path
) -> None:
    untracked = ("tracking=none", "tracking.experiment=digits")
    assert forked(TRAIN, *usual(root), *untracked, cwd=tmp_path).returncode == 0
    sync = (EXPERIMENTS, "sync", "--uri", server.address)
    before = number_of_runs(store)
    for login, words in ((("ann", "wrong"), "of user ann (401)"), (READER, UNWRITABLE)):
        done = program(server, tmp_path, login, *sync)
        assert done.returncode == 1
        (line,) = done.stderr.splitlines()
        assert words in line
        assert done.stdout == "0 delivered, 1 failed, 0 still running, 0 had no need\n"
        assert number_of_runs(store) == before
    (tmp_path / "home" / ".mlflow").mkdir(parents=True)
    (tmp_path / "home" / ".mlflow" / "credentials").write_text(
        f"[mlflow]\nmlflow_tracking_username = ann\nmlflow_tracking_password = {ANN[1]}\n"
    )
    done = program(server, tmp_path, ("", ""), *sync)
    assert (done.returncode, done.stderr) == (0, "")
    (told, summary) = done.stdout.splitlines()  # and no lines of MLflow's own
    assert ": MLflow run " in told
    assert summary == "1 delivered, 0 failed, 0 still running, 0 had no need"
    assert number_of_runs(store) == before + 1
    again = program(server, tmp_path, ANN, EXPERIMENTS, "sync")
    assert again.stdout == "0 delivered, 0 failed, 0 still running, 1 had no need\n"


@pytest.mark.slow
def test_a_run_that_a_restored_backup_lacks_is_brought_back_by_a_member(
    server: MlflowServer, store: MlflowClient, digits, root: str, tmp_path: Path
) -> None:
    before = number_of_runs(store)
    with contextlib.closing(sqlite3.connect(":memory:")) as backup:
        with contextlib.closing(sqlite3.connect(server.folder / "server.db")) as database:
            database.backup(backup)
        done = program(server, tmp_path, ANN, TRAIN, *usual(root), "seed=79")
        assert done.returncode == 0, done.stderr
        with contextlib.closing(sqlite3.connect(server.folder / "server.db")) as database:
            backup.backup(database)
    assert number_of_runs(store) == before
    for delivered, no_need in ((1, 0), (0, 1)):
        done = program(server, tmp_path, ANN, EXPERIMENTS, "sync", "--rebuild")
        summary = f"{delivered} delivered, 0 failed, 0 still running, {no_need} had no need"
        assert done.stdout.splitlines()[-1] == summary
        assert number_of_runs(store) == before + 1


@pytest.mark.slow
def test_a_reader_is_shown_a_finished_run_of_the_team(
    server: MlflowServer, store: MlflowClient, digits, root: str, tmp_path: Path
) -> None:
    run = (TRAIN, *usual(root), "seed=77")
    for folder, login in (("ann", ANN), ("reader", READER)):
        (tmp_path / folder).mkdir()
        done = program(server, tmp_path / folder, login, *run)
        assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Finished before: test accuracy ")
    refused = program(server, tmp_path / "reader", READER, *run, "force=true")
    assert refused.returncode == 2
    assert UNWRITABLE in refused.stderr


@pytest.mark.slow
def test_a_login_in_the_address_is_written_nowhere_and_names_the_same_store(
    server: MlflowServer, digits, root: str, tmp_path: Path
) -> None:
    uri = server.address.replace("://", "://{}:{}@".format(*ANN))
    done = forked(TRAIN, *usual(root), f"tracking.uri={uri}", "seed=78", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert [path for path in files if ANN[1].encode() in path.read_bytes()] == []
    for login in (("", ""), ANN):  # nothing is asked of the server, or all is there
        done = program(server, tmp_path, login, EXPERIMENTS, "sync", "--uri", server.address)
        assert done.stdout == "0 delivered, 0 failed, 0 still running, 1 had no need\n"


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("http://ann:secret@host:5000/", "http://host:5000"),
        ("https://token@host/mlflow?token=secret", "https://host/mlflow?token=***"),
        ("http://ann:***@host", "http://host"),
        ("http://ann:s/e@c ret@host", "http://host"),
        ("http://[host", "http://[host"),
        ("postgresql+psycopg2://me:secret@host/db", "postgresql+psycopg2://me:***@host/db"),
    ],
)
def test_a_server_is_one_store_for_all_its_users(uri: str, name: str) -> None:
    assert address(uri) == name
    assert same_store(name, name)


def test_a_note_of_an_older_version_names_the_same_store() -> None:
    assert same_store("http://ann:***@host:5000", "http://host:5000")
    assert not same_store("http://ann:***@host:5000", "http://other:5000")


@pytest.mark.parametrize(
    ("uri", "environment", "whose"),
    [
        ("http://host", {}, None),
        ("http://host", {"USERNAME": "ann"}, None),  # MLflow sends no user without a password
        ("http://host", {"USERNAME": "ann", "PASSWORD": "secret"}, "user ann"),
        ("http://host", {"TOKEN": "secret"}, "the owner of MLFLOW_TRACKING_TOKEN"),
        ("http://bob:secret@host", {"USERNAME": "ann", "PASSWORD": "secret"}, "user bob"),
    ],
)
def test_the_login_is_the_one_that_mlflow_sends(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    uri: str,
    environment: dict[str, str],
    whose: str | None,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("USERNAME", "PASSWORD", "TOKEN"):
        monkeypatch.setenv(f"MLFLOW_TRACKING_{name}", environment.get(name, ""))
    login = login_to(uri)
    assert (login.whose if login else None) == whose
