"""Train with restored code: train.py of that code in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.reproducing.worktree import PROGRAM, Code

_END_SECONDS = 60.0  # for a run to stop, and for a sweep to stop its worker


@dataclass(frozen=True)
class Ended:
    """The end of a process."""

    status: int
    """its exit code"""
    lines: Sequence[str]
    """its output"""

    @property
    def reason(self) -> str:
        """The line that tells why it failed."""
        told = [line for line in self.lines if line.strip()]
        errors = [line for line in told if line.startswith("error: ")]
        found = errors or told or [f"it ended with the exit code {self.status}"]
        return found[-1].removeprefix("error: ")


def environment_for(code: Code, folder: Path) -> dict[str, str]:
    """Return the environment in which Python finds the restored code, and no other copy of it.

    Args:
        code: the code.
        folder: an empty folder for the module that sets Python's path.
    """
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    path = [os.path.abspath(entry) for entry in given if entry]  # noqa: PTH100  (keeps links)
    if code.top is None:
        return {**os.environ, "PYTHONPATH": os.pathsep.join(path), "PYTHONUNBUFFERED": "1"}
    folder.mkdir()
    shutil.copy(Path(__file__).with_name("sitecustomize.py"), folder)
    places = {"top": str(code.instead_of), "code": str(code.top), "project": str(code.project)}
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(folder), str(code.project / "src"), *path]),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "EXPERIMENTS_RESTORED": json.dumps(places),
    }


def compose(code: Code, overrides: Sequence[str], environment: Mapping[str, str]) -> Ended:
    """Return the configuration that overrides compose, as YAML, or the reason of the refusal."""
    done = subprocess.run(
        [sys.executable, PROGRAM, "--cfg", "job", *overrides],
        cwd=code.project,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    said = done.stderr if done.returncode else done.stdout
    return Ended(done.returncode, said.splitlines())


def train(
    code: Code,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    say: Callable[[str], None],
) -> Ended:
    """Run train.py of the code in its folder to the end.

    If this process is interrupted, train.py is stopped first.

    Args:
        code: the code.
        arguments: the arguments of train.py.
        environment: as `environment_for` gives it.
        say: receives each line as it is printed.
    """
    process = subprocess.Popen(
        [sys.executable, PROGRAM, *arguments],
        cwd=code.project,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,  # a second signal would end it at once, and leave its worker
    )
    lines: list[str] = []
    try:
        assert process.stdout is not None  # noqa: S101  (a pipe)
        for line in process.stdout:
            lines.append(line.rstrip("\n"))
            say(lines[-1])
        process.wait()
    finally:
        _stop(process)
    return Ended(process.returncode, lines)


def _stop(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=_END_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
