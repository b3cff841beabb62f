"""Messages between a process and one that it starts, each a picklable object.

They go through two pipes: the standard input and output of the process that is started.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from typing import IO


@dataclass(frozen=True)
class Child:
    """A process that was started, and the ends of the pipes to and from it."""

    process: subprocess.Popen[bytes]
    requests: Connection
    """to it; closed, it tells the process to end"""
    answers: Connection
    """from it"""


def start(module: str, *, errors: IO[bytes] | None = None) -> Child:
    """Start `python -m module`, which a Ctrl-C on the terminal does not reach.

    Args:
        module: calls `parent` to answer.
        errors: a file for its standard error; None for this process's.
    """
    its_requests, requests = Pipe(duplex=False)
    answers, its_answers = Pipe(duplex=False)
    with its_requests, its_answers:
        process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=its_requests.fileno(),
            stdout=its_answers.fileno(),
            stderr=errors,
            start_new_session=True,
        )
    return Child(process, requests, answers)


def parent() -> tuple[Connection, Connection]:
    """Return the requests from the process that has started this one, and the way to answer them.

    Output that is printed goes to the standard error from here on.
    """
    requests = Connection(os.dup(sys.stdin.fileno()), writable=False)
    answers = Connection(os.dup(sys.stdout.fileno()), readable=False)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return requests, answers
