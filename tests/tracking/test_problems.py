"""Errors of real stores become one line, and count as a mistake only if the user made one.

Each error comes from a real failure, so that changed messages of a new MLflow are noticed.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import socket

import pytest
import sqlalchemy
from mlflow import MlflowClient

from experiments.tracking.problems import Problem, problem_of
from experiments.tracking.store import contact, sqlite_file

OLDER = "acf3f17fdcc7"  # an earlier revision of MLflow's schema

MISTAKES = {
    "401": "the server refuses the login of user me (401); check the user and password in the ad",
    "403": "the server does not let user me in (403)",
    "404": "MLflow is not under this address (404); check the path",
    "html": "there is a server, but it is no MLflow",
    "dns": "there is no host of that name; check the spelling",
    "scheme": "is no kind of address; write sqlite:///mlflow.db",
    "folder": "is a path, and MLflow no longer keeps runs in folders; write sqlite:///mlflow.db",
    "driver": "the database's driver is missing; install",
    "junk": "the file is not a database; name another file",
    "old schema": "the database is from another version of MLflow; back it up, then run `mlflow db",
}
PASSING = {
    "refused": "nothing listens there (connection refused)",
    "hanging": "the server does not answer in time",
    "500": "the server answers with an error of its own (5xx)",
    "503": "the server answers with an error of its own (5xx)",
    "locked": "the database is locked by another program",
}


@contextlib.contextmanager
def server(code: int, body: str = "", kind: str = "application/json") -> Iterator[str]:
    """Give every request the same answer; with code 0, none before the end."""
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if code == 0:
                over.wait(60)
                return
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        do_GET = do_POST = answer

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as serving:
        thread = threading.Thread(target=serving.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://me:secret@127.0.0.1:{serving.server_port}"
        finally:
            over.set()
            serving.shutdown()
            thread.join()


def unused_port() -> int:
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass(frozen=True)
class Failure:
    uri: str
    problem: Problem
    seconds: float


def failure(uri: str, use: Callable[[str], object] = contact) -> Failure:
    began = time.monotonic()
    with pytest.raises(Exception) as caught:
        use(uri)
    return Failure(uri, problem_of(caught.value, uri), time.monotonic() - began)


def read_while_locked(uri: str) -> None:
    database = sqlite_file(uri)
    engine = sqlalchemy.create_engine(uri, connect_args={"timeout": 0})
    with contextlib.closing(sqlite3.connect(database)) as locking:
        locking.execute("BEGIN EXCLUSIVE")
        try:
            with engine.connect() as reading:
                reading.execute(sqlalchemy.text("SELECT * FROM sqlite_master"))
        finally:
            engine.dispose()


@pytest.fixture(scope="module")
def older(client: MlflowClient, uri: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the database that claims an older schema."""
    path = tmp_path_factory.mktemp("older") / "mlflow.db"
    with (
        contextlib.closing(sqlite3.connect(sqlite_file(uri))) as present,
        contextlib.closing(sqlite3.connect(path)) as copy,
    ):
        present.backup(copy)
        copy.execute("UPDATE alembic_version SET version_num = ?", (OLDER,))
        copy.commit()
    return path


@pytest.fixture(scope="module")
def content(older: Path) -> bytes:
    """The bytes of the older database before any test opens it."""
    return older.read_bytes()


@pytest.fixture(scope="module")
def failures(
    older: Path, content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Failure]:
    folder = tmp_path_factory.mktemp("problems")
    (folder / "junk.db").write_bytes(b"no database " * 1000)
    found = {
        "refused": failure(f"http://me:secret@127.0.0.1:{unused_port()}"),
        "dns": failure("http://nosuch.invalid:5000"),
        "scheme": failure("htp://x"),
        "driver": failure("postgresql://u:secret@127.0.0.1:9/x"),
        "junk": failure(f"sqlite:///{folder}/junk.db"),
        "old schema": failure(f"sqlite:///{older}"),
        "locked": failure(f"sqlite:///{folder}/locked.db", read_while_locked),
    }
    with contextlib.chdir(folder):
        found["folder"] = failure("./mlruns")
    for code in (401, 403, 404, 500, 503):
        with server(code) as address:
            found[str(code)] = failure(address)
    with server(200, "<!DOCTYPE html><title>A router</title>", "text/html") as address:
        found["html"] = failure(address)
    with server(0) as address:
        found["hanging"] = failure(address)
    return found


@pytest.mark.parametrize("name", MISTAKES)
def test_what_the_user_has_to_mend_is_a_mistake(failures: dict[str, Failure], name: str) -> None:
    assert failures[name].problem.mistake
    assert MISTAKES[name] in failures[name].problem.text


@pytest.mark.parametrize("name", PASSING)
def test_what_may_pass_is_none(failures: dict[str, Failure], name: str) -> None:
    assert not failures[name].problem.mistake
    assert PASSING[name] in failures[name].problem.text


@pytest.mark.parametrize("name", [*MISTAKES, *PASSING])
def test_it_is_one_line_that_names_the_address_without_its_password(
    failures: dict[str, Failure], name: str
) -> None:
    text = failures[name].problem.text
    shown = failures[name].uri.replace(":secret@", ":***@")
    assert text.startswith(f"tracking.uri={shown}: ")
    assert "secret" not in text
    assert text.isprintable()  # so it has no line break
    assert len(text) < 400


def test_each_failure_has_words_of_its_own(failures: dict[str, Failure]) -> None:
    alike = [{"500", "503"}]
    advice = {
        name: failure.problem.text.replace(failure.uri.replace(":secret@", ":***@"), "")
        for name, failure in failures.items()
    }
    for name, words in advice.items():
        same = {other for other in advice if advice[other] == words}
        assert same in [{name}, *alike]


def test_none_takes_long(failures: dict[str, Failure]) -> None:
    assert {name for name, failure in failures.items() if failure.seconds > 10} == set()


def test_an_older_database_is_named_with_its_remedy_and_not_touched(
    failures: dict[str, Failure], older: Path, content: bytes
) -> None:
    assert failures["old schema"].problem.text.endswith(f"`mlflow db upgrade sqlite:///{older}`")
    assert older.read_bytes() == content


def test_a_folder_is_not_made_where_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    failure("./mlruns/another")
    assert list(tmp_path.iterdir()) == []


def test_what_nobody_foresaw_is_quoted_in_one_line_and_may_pass() -> None:
    error = RuntimeError("first\n  second http://me:secret@host/x\n" + "third " * 1000)
    problem = problem_of(error, "http://me:secret@host")
    assert problem.text.startswith(
        "tracking.uri=http://me:***@host: RuntimeError : first second http://me:***@host/x third"
    )
    assert "\n" not in problem.text
    assert len(problem.text) < 500
    assert not problem.mistake


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("http://127.0.0.1:99999", "is no complete address"),
        ("http://[x", "is no complete address"),
        ("sqlite://x.db", "is no complete address"),
        ("sqlite:////proc", "the database cannot be opened"),
    ],
)
def test_an_address_that_leads_nowhere_is_a_mistake_at_once(uri: str, words: str) -> None:
    began = time.monotonic()
    with pytest.raises(Exception) as caught:
        contact(uri)
    problem = problem_of(caught.value, uri)
    assert problem.mistake
    assert words in problem.text
    assert time.monotonic() - began < 10
