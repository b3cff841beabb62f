"""`experiments ui`: the MLflow UI of a store, on this machine only, at the view of all runs."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

from experiments.errors import InputError, RunError
from experiments.process.loopback import HOST, PORTS, bound
from experiments.redaction.secret_forms import without_passwords
from experiments.tracking.links import PORT, address_of_ui, link_to_view
from experiments.tracking.problems import problem_of
from experiments.tracking.shared_views import ALL, has_view_of_all
from experiments.tracking.store import DEFAULTS, connect, exists, has_server, usual_uri

# Seven processes for evaluations of language models take 10 s and 1.5 GB to start.
_QUICK_START = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
_START_SECONDS = 120.0  # for MLflow's import on a cold, busy machine
_LOOK_SECONDS = 0.1


def show(uri: str | None, port: int | None, say: Callable[[str], None], *, browser: bool) -> None:
    """Serve the UI of a store until a signal, or open the server that the address names.

    Args:
        uri: the tracking address; None for the usual one.
        port: the port for a store without a server of its own; None for that of printed links.
        say: receives the lines for the user.
        browser: whether to open the page in a browser.

    Raises:
        InputError: there is no such store, or the port is in use.
        RunError: the server does not start.
    """
    uri = usual_uri() if uri is None else uri
    port = PORT if port is None else port
    if not 0 < port < PORTS:
        raise InputError(f"--port={port}: is no port; choose 1 to {PORTS - 1}, such as {PORT}")
    served = address_of_ui(uri, port)
    if served is None:
        raise InputError(f"--uri={uri}: has a page of its own; open it in the browser")
    if has_server(uri):
        _open(_pages(uri, served), served, say, browser=browser)
        return
    if not exists(uri):
        raise InputError(
            f"{without_passwords(uri)}: there is no database yet; train a run first, or name the "
            "place of the runs with --uri"
        )
    with _server(uri, port) as process:
        _open(_pages(uri, served), served, say, browser=browser)
        say("Ctrl-C ends the server")
        process.wait()


@contextmanager
def _server(uri: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Start MLflow's server, yield it once it answers, and end it."""
    bound(port, f"the UI is open already at http://{HOST}:{port}").close()
    # The address may hold a password, and every user sees a command line.
    environment = os.environ | {"MLFLOW_BACKEND_STORE_URI": uri}
    command = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port)]
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [*command, "--workers", "1"],
            env={**DEFAULTS, **_QUICK_START, **environment},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            _wait_for(process, port, output)
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):  # it has ended
                os.killpg(process.pid, signal.SIGTERM)  # MLflow's server has processes of its own
            process.wait()


def _wait_for(process: subprocess.Popen[bytes], port: int, output: IO[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    here = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with here.open(f"http://{HOST}:{port}/health", timeout=1):
                return
        except OSError:  # not yet
            time.sleep(_LOOK_SECONDS)
    output.seek(0)
    lines = output.read().decode(errors="replace").strip().splitlines()
    raise RunError(f"MLflow's server does not start: {lines[-1] if lines else 'no message'}")


def _pages(uri: str, served: str) -> dict[str, str]:
    """Return the view of all runs of each experiment; that of the newest run comes first."""
    try:
        client = connect(uri)
        found = client.search_experiments()
        ours = {each.experiment_id: each.name for each in found if has_view_of_all(each)}
        newest = client.search_runs([*ours], order_by=["attributes.start_time DESC"], max_results=1)
    except Exception as error:
        problem = problem_of(error, uri)
        raise InputError(problem.text) if problem.mistake else RunError(problem.text) from error
    order = dict.fromkeys([*(run.info.experiment_id for run in newest), *ours])
    return {ours[each]: link_to_view(served, each, ALL) for each in order}


def _open(pages: dict[str, str], served: str, say: Callable[[str], None], *, browser: bool) -> None:
    for name, page in pages.items():
        say(f"Experiment {name}: {page}")
    first = next(iter(pages.values()), served)
    if not pages:
        say(first)
    if browser:
        webbrowser.open(first)
