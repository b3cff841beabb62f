"""HTTP servers that fail, and a real MLflow server that can be killed and started again."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.conftest import PROJECT, clean_environment, command
from tests.programs import wait_until

ADMIN = {"MLFLOW_TRACKING_USERNAME": "admin", "MLFLOW_TRACKING_PASSWORD": "the-admins-password"}
_HOW_TO = (PROJECT / "docs" / "team-store.md").read_text()
_ADDRESS = "http://127.0.0.1:5000"
_AUTH_DATABASE = "postgresql+psycopg2://mlflow:PASSWORD@127.0.0.1/mlflow_auth"


def how_to(name: str) -> str:
    """Return a file that docs/team-store.md shows."""
    (text,) = re.findall(rf"```(?:ini|python)\n# {re.escape(name)}\n(.*?)```", _HOW_TO, re.DOTALL)
    return text


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def answer(self) -> None:
        if self.server.status is None:
            self.server.closing.wait()
            return
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(self.server.status)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<html>no</html>")

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    def log_message(self, *_: object) -> None:
        """Print nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    status: int | None
    closing: threading.Event

    def handle_error(self, *_: object) -> None:
        """Ignore errors: clients are expected to give up."""


@contextlib.contextmanager
def bad_server(status: int | None) -> Iterator[str]:
    """Serve on a port of the loopback; yield the address. With status None it never answers."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.status, server.closing = status, threading.Event()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


def free_port() -> int:
    """Return a port of the loopback that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class MlflowServer:
    """A real MLflow server on the loopback, with one address for its whole life."""

    def __init__(self, folder: Path, store: str | None = None, logins: str | None = None) -> None:
        """Choose the address; the server is not started.

        Args:
            folder: the folder for its files.
            store: the address of its database; None for a sqlite file in the folder.
            logins: the address of the database of its users; None for a server without logins.
        """
        self.folder, port = folder, free_port()
        self.address = f"http://127.0.0.1:{port}"
        self._command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1"]
        self._command += ["--port", str(port), "--workers", "1" if logins is None else "2"]
        self._command += ["--artifacts-destination", str(folder / "artifacts")]
        self._environment = clean_environment() | {
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_BACKEND_STORE_URI": store or f"sqlite:///{folder}/server.db",
        }
        if logins is not None:
            settings = how_to("/etc/mlflow/auth.ini")
            assert _AUTH_DATABASE in settings
            (folder / "auth.ini").write_text(settings.replace(_AUTH_DATABASE, logins))
            self._command += ["--app-name", "basic-auth"]
            self._environment |= {
                "MLFLOW_AUTH_CONFIG_PATH": str(folder / "auth.ini"),
                "MLFLOW_AUTH_ADMIN_PASSWORD": ADMIN["MLFLOW_TRACKING_PASSWORD"],
                "MLFLOW_FLASK_SERVER_SECRET_KEY": "a secret of this test",
            }

    def start(self) -> None:
        """Start it and wait until it answers."""
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self.folder,
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until(self._answers, 120)

    def _answers(self) -> bool:
        assert self._process.poll() is None, (self.folder / "server.log").read_text()[-2000:]
        with contextlib.suppress(OSError):
            return urllib.request.urlopen(f"{self.address}/health").status == 200
        return False

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Send a signal to all of its processes, and wait for its end."""
        os.killpg(self._process.pid, how)
        self._process.wait(timeout=30)

    def add_users(self) -> None:
        """Run the how-to's script, which gives ann, a member of the team, her login."""
        script = how_to("team.py").replace(_ADDRESS, self.address)
        assert self.address in script
        self.as_admin(script)

    def as_admin(self, script: str) -> None:
        """Run Python code with the login of the administrator."""
        done = command(sys.executable, "-c", script, cwd=self.folder, **ADMIN)
        assert done.returncode == 0, done.stderr

    def login(self, user: str, password: str) -> Mapping[str, str]:
        """Return the environment of a user of this server."""
        return {
            "MLFLOW_TRACKING_URI": self.address,
            "MLFLOW_TRACKING_USERNAME": user,
            "MLFLOW_TRACKING_PASSWORD": password,
        }


@contextlib.contextmanager
def mlflow_server(
    folder: Path, store: str | None = None, logins: str | None = None
) -> Iterator[MlflowServer]:
    """Run a real MLflow server on the loopback."""
    server = MlflowServer(folder, store, logins)
    server.start()
    try:
        yield server
    finally:
        server.stop()
