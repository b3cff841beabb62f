"""Messages between a process and a process that it starts; each is a picklable object.

They go through two pipes: the standard input and output of the started process.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from typing import IO


@dataclass(frozen=True)
class Child:
    """A started process, and our ends of the pipes to and from it."""

    process: subprocess.Popen[bytes]
    requests: Connection
    """to the process; closing it tells the process to end"""
    answers: Connection
    """from the process"""


def start(
    module: str,
    *,
    errors: IO[bytes] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Child:
    """Start `python -m module` in a session of its own, so that Ctrl-C does not reach it.

    Args:
        module: its name; it calls `parent` to answer.
        errors: a file for its standard error; None for the standard error of this process.
        environment: its environment; None for that of this process.
    """
    its_requests, requests = Pipe(duplex=False)
    answers, its_answers = Pipe(duplex=False)
    with its_requests, its_answers:
        process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=its_requests.fileno(),
            stdout=its_answers.fileno(),
            stderr=errors,
            env=environment,
            start_new_session=True,
        )
    return Child(process, requests, answers)


def parent() -> tuple[Connection, Connection]:
    """Return the pipes from and to the process that started this one: (requests, answers).

    From now on, printed output goes to the standard error.
    """
    requests = Connection(os.dup(sys.stdin.fileno()), writable=False)
    answers = Connection(os.dup(sys.stdout.fileno()), readable=False)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return requests, answers
