"""Commands in forks of a process that has imported what they need, which saves each a second.

A fork differs from a process of its own in what happens before the command's first line: the
interpreter has started, torch is imported, and the order of sets is that of the other forks. Tests
of these, of signals and of streams start processes of their own.
"""

from __future__ import annotations

import atexit
import json
import os
import runpy
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

TIMEOUT_SECONDS = 120
_READ_AT_THE_START = ("CUDA", "GOMP", "LD_", "MKL", "OMP", "PYTHON", "TORCH")
_servers: dict[str, subprocess.Popen[str]] = {}
_exit_codes: list[int] = []


def run(
    command: Sequence[str], cwd: Path, environment: Mapping[str, str], given: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a script of Python as `subprocess.run` does, in a fork.

    Args:
        command: the script and its arguments.
        cwd: the folder of the command.
        environment: the variables that every command gets.
        given: further variables, for this command.
    """
    early = {name for name in given if name.startswith(_READ_AT_THE_START)} - {"PYTHONPATH"}
    assert not early, f"{early}: is read before a fork is made; start a process of its own"
    with tempfile.TemporaryDirectory() as folder:
        output, errors = Path(folder) / "output", Path(folder) / "errors"
        asked = (command, str(cwd), {**environment, **given}, str(output), str(errors))
        code = _asked(_server(Path(command[0]).stem), json.dumps(asked))
        return subprocess.CompletedProcess(command, code, output.read_text(), errors.read_text())


def _asked(server: subprocess.Popen[str], request: str) -> int:
    assert server.stdin is not None
    assert server.stdout is not None
    print(request, file=server.stdin, flush=True)
    if not select.select([server.stdout], [], [], TIMEOUT_SECONDS)[0]:
        _stop_all()
        raise subprocess.TimeoutExpired(request, TIMEOUT_SECONDS)
    return int(server.stdout.readline())


def _server(script: str) -> subprocess.Popen[str]:
    """Return the process that forks for a script; the first call starts it."""
    if not _servers:
        atexit.register(_stop_all)
    if script not in _servers:
        _servers[script] = subprocess.Popen(
            (sys.executable, __file__, script),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
    return _servers[script]


def _stop_all() -> None:
    """Kill the processes that fork, and what they have forked."""
    while _servers:
        _, server = _servers.popitem()
        os.killpg(server.pid, signal.SIGKILL)
        server.communicate()


def _serve() -> None:
    """Fork for each request, and report the fork's exit code; return in each fork."""
    for request in sys.stdin:
        fork = os.fork()
        if fork == 0:
            _become(*json.loads(request))
            return
        _, status = os.waitpid(fork, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)
    os._exit(0)


def _become(
    command: Sequence[str], cwd: str, environment: Mapping[str, str], output: str, errors: str
) -> None:
    """Give this process the arguments, folder, variables and streams of a command."""
    for path, number in ((os.devnull, 0), (output, 1), (errors, 2)):
        file = os.open(path, os.O_RDWR | os.O_CREAT)
        os.dup2(file, number)
        os.close(file)
    os.chdir(cwd)
    sys.dont_write_bytecode = True  # it would be taken for a module that is edited within a second
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[:] = command
    given = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
    folder = Path(command[0]).absolute().parent
    sys.path[:1] = [str(folder), *given]  # in place of the folder of this file


def _import(script: str) -> None:
    """Import what most commands of a script need."""
    from experiments.run.load_torch import load_torch

    load_torch()
    if script == "train":
        import hydra  # noqa: F401

        import experiments.app
        import experiments.composition.entry_point
    else:
        import altair  # noqa: F401

        import experiments.cli.main  # noqa: F401
        from experiments.tracking.store import preload

        preload("sqlite:///mlflow.db")


def _run(script: str) -> None:
    """Run a script as the main module, and note the exit code for `_leave`."""
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as end:
        _exit_codes.append(end.code if isinstance(end.code, int) else int(end.code is not None))
        raise
    except BaseException:
        _exit_codes.append(1)
        raise


def _leave() -> None:
    """End this process after all that has to happen at its exit, without freeing its objects.

    To free those of MLflow takes Python a second.
    """
    for stream in (sys.stdout, sys.stderr):
        if not stream.closed:
            stream.flush()
    os._exit(_exit_codes[0] if _exit_codes else 0)


if __name__ == "__main__":
    atexit.register(_leave)  # before all others, so that Python calls it after them
    _import(sys.argv[1])
    _serve()
    _run(str(Path(sys.argv[0]).absolute()))
