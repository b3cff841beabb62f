"""The client of a worker: it starts the process, sends requests and notices its death.

The process itself is `experiments.worker.server`.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

from experiments.process.messages import start

_END_SECONDS = 60.0  # for a job to save a checkpoint and stop


class WorkerDiedError(Exception):
    """The worker ended in the middle of a request; the text gives the exit code or signal."""


class Worker:
    """The process that trains jobs; see `experiments.worker.server`."""

    def __init__(self) -> None:
        child = start("experiments.worker")  # Ctrl-C reaches it through this process
        self._process, self._requests, self._answers = child.process, child.requests, child.answers
        self._requests.send({"path": sys.path})

    @property
    def is_alive(self) -> bool:
        """Whether the process is running and can take requests."""
        return self._process.poll() is None

    def ask(self, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Send a request that `experiments.worker.server` knows; yield its answers as they come.

        Raises:
            WorkerDiedError: the process ended.
        """
        try:
            self._requests.send(request)
            while (answer := self._answers.recv()) is not None:
                yield answer
        except (EOFError, OSError):
            raise WorkerDiedError(_how(self._process.wait())) from None

    def stop(self) -> Iterator[dict[str, Any]]:
        """Have the jobs in training save a checkpoint and stop within 60 s; yield their answers.

        The request is the end of the pipe. A scheduler may send its signal to every process of a
        sweep, and a signal from here would be their second, which ends them at once.
        """
        self._requests.close()
        timer = threading.Timer(_END_SECONDS, self._process.kill)
        timer.start()
        try:
            with contextlib.suppress(EOFError, OSError):
                while (answer := self._answers.recv()) is not None:
                    yield answer
            self._process.wait()
        finally:
            timer.cancel()

    def dismiss(self) -> None:
        """End the process; only between requests."""
        self._requests.close()
        self._process.wait()


def _how(returncode: int) -> str:
    if returncode >= 0:
        return f"its process ended with exit code {returncode}"
    name = signal.Signals(-returncode).name
    memory = "; perhaps the machine ran out of memory" if name == "SIGKILL" else ""
    return f"its process was killed by {name}{memory}"


def worker() -> Worker:
    """Return this process's worker; start one if it died or CUDA_VISIBLE_DEVICES has changed."""
    gpus = os.environ.get("CUDA_VISIBLE_DEVICES")
    if not _worker(gpus).is_alive:
        _worker.cache_clear()
    return _worker(gpus)


@functools.lru_cache(maxsize=1)
def _worker(_gpus: str | None) -> Worker:
    return Worker()
