"""A real PostgreSQL on the loopback, in a folder of its own, which can be stopped and restarted."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.servers import free_port

DATABASES = ("mlflow", "mlflow_auth")
_PASSWORD = "the-databases-password"
_OWNER = "postgres"  # root may not run it


def _programs() -> Path:
    """Return the folder of the newest PostgreSQL's programs, or skip the test."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if not found:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    return max(found, key=lambda path: int(path.parent.name))


class Postgres:
    """A cluster with the databases `mlflow` and `mlflow_auth`, and a password."""

    def __init__(self, folder: Path) -> None:
        """Make the cluster; the server is not started."""
        self._programs, self._data = _programs(), folder / "data"
        self._log, self._port = folder / "log", free_port()
        (folder / "password").write_text(_PASSWORD)
        if os.geteuid() == 0:
            owner = pwd.getpwnam(_OWNER)
            for path in (folder, folder / "password"):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        secret = ("--auth=scram-sha-256", f"--pwfile={folder}/password")
        self._run("initdb", "-D", str(self._data), "-U", "mlflow", *secret)

    def _run(self, program: str, *arguments: str) -> None:
        user = ("runuser", "-u", _OWNER, "--") if os.geteuid() == 0 else ()
        done = subprocess.run(
            (*user, str(self._programs / program), *arguments),
            cwd=self._data.parent,
            env={"PGPASSWORD": _PASSWORD, "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # a pipe would stay open in the server
            stderr=subprocess.DEVNULL,
            check=False,
        )
        assert done.returncode == 0, (program, self._log.exists() and self._log.read_text()[-2000:])

    def start(self) -> None:
        """Start the server and wait until it takes connections."""
        options = f"-p {self._port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''"
        self._run(
            "pg_ctl", "-D", str(self._data), "-l", str(self._log), "-o", options, "-w", "start"
        )

    def stop(self) -> None:
        """Stop the server as a crash does: transactions are cut off, and the log is replayed."""
        self._run("pg_ctl", "-D", str(self._data), "-m", "immediate", "-w", "stop")

    def create_databases(self) -> None:
        """Create the databases of the store and of its users."""
        for name in DATABASES:
            self._run("createdb", "-h", "127.0.0.1", "-p", str(self._port), "-U", "mlflow", name)

    def uri(self, database: str) -> str:
        """Return the address of a database for SQLAlchemy."""
        return f"postgresql+psycopg2://mlflow:{_PASSWORD}@127.0.0.1:{self._port}/{database}"

    def dsn(self, database: str) -> str:
        """Return the address of a database for psycopg2."""
        return self.uri(database).replace("+psycopg2", "")


@contextlib.contextmanager
def postgres() -> Iterator[Postgres]:
    """Run a PostgreSQL; skip the test if it is not installed."""
    _programs()
    folder = Path(
        tempfile.mkdtemp(prefix="postgres-")
    )  # pytest's folders are closed to other users
    try:
        server = Postgres(folder)
        server.start()
        try:
            server.create_databases()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)
