"""The training process's side of delivery: it announces news, and waits once, at the end.

The delivery process imports MLflow while this process imports torch. It also waits for the server,
so that training never does. See docs/decisions/0002-delivery-process.md.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import pickle
import select
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from experiments.process.messages import start
from experiments.process.signals import is_in_haste
from experiments.tracking.environment import for_other_processes
from experiments.tracking.problems import Problem

_INTERRUPTED_SECONDS = 5.0  # users who stop a run do not wait long; the rest comes later
_HEADER_BYTES = 4  # of a message: its length
_LOADING_SECONDS = 120.0  # for MLflow's import on a cold, busy machine


class Sender:
    """The delivery process of this process, shared by all its runs that track to one address."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._folders: set[str] = set()
        self._unsent: set[str] = set()
        self._start()

    def _start(self) -> None:
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  (lives as long as the process)
        # Ctrl-C is for the training; delivery goes on to the end.
        self._child = start(
            "experiments.delivery_process.server",
            errors=self._errors,
            environment=for_other_processes(),
        )
        self._unread: deque[dict[str, Any]] = deque()
        self._ended: dict[str, dict[str, Any]] = {}
        self._ready_at: float | None = None
        # The address may hold a password: a pipe hides it, unlike a command line or a file.
        self._child.requests.send({"uri": self._uri, "path": sys.path})

    def tell(self, folder: Path) -> None:
        """Announce news in a folder's journal; never waits. A dead delivery process is replaced."""
        name = str(folder.absolute())
        self._folders.add(name)
        self._unsent.add(name)
        try:
            self._send_news()
        except BrokenPipeError:
            self.close()
            self._child.process.wait()
            self._child.answers.close()
            self._errors.close()
            self._start()
            self._unsent |= self._folders
            self._send_news()

    def abandon(self, folder: Path) -> None:
        """Announce that a run's process is gone, in case it could not write its end."""
        with contextlib.suppress(BrokenPipeError):  # the next command will mark the run
            self._send({"gone": str(folder.absolute())})

    def find(
        self, identity: str, experiment: str, *, force: bool = False, patience: float = 4.0
    ) -> dict[str, Any] | Problem | None:
        """Return the store's run with an identity, None if there is none, or the store's problem.

        Args:
            identity: the identity to look up.
            experiment: the experiment for a new run; a deleted one is a problem, and so is one to
                which the user may not write, unless a finished run makes a new one needless.
            force: whether a finished run makes a new one needless in no case.
            patience: the longest wait after MLflow is loaded, in seconds.
        """
        asked = time.monotonic()
        try:
            self._send({"find": identity, "experiment": experiment, "force": force})
        except BrokenPipeError:
            return Problem(self._silence(patience), mistake=False)

        def deadline() -> float:
            begun = self._ready_at
            return asked + _LOADING_SECONDS if begun is None else max(asked, begun) + patience

        for answer in self._answers(deadline):
            if answer.get("find") == identity:
                found: dict[str, Any] | None = answer["found"]
                return found if answer["problem"] is None else Problem(**answer["problem"])
        return Problem(self._silence(patience), mistake=False)

    def wait(
        self, folder: Path, *, patience: float = 30.0, attempts: int = 3
    ) -> tuple[str | None, Problem | None]:
        """Wait until an ended run is delivered; return its MLflow run id and the problem.

        Args:
            folder: the run's folder.
            patience: the longest wait in seconds for this run, or for another that is delivered
                before it; a stop signal, or the loss of another process of the run, shortens the
                whole wait to 5.
            attempts: the failed attempts after which the wait ends.
        """
        name, began = str(folder.absolute()), time.monotonic()
        heard = began
        problem: Problem | None = None

        def bearable() -> float:
            return min(patience, _INTERRUPTED_SECONDS) if is_in_haste() else patience

        def deadline() -> float:
            return (began if is_in_haste() else heard) + bearable()

        if (known := self._ended.pop(name, None)) is not None:
            self._unread.appendleft(known)
        for answer in self._answers(deadline):
            if answer.get("folder") != name:
                if "folder" in answer:
                    self._ended[answer["folder"]] = answer  # for a later call
                    if answer["problem"] is None:
                        heard = time.monotonic()
                continue
            if answer["problem"] is None:
                self._folders.discard(name)
                return answer["run_id"], None
            problem = Problem(**answer["problem"])
            attempts -= 1
            if attempts <= 0 or problem.mistake:
                break
        return None, problem or Problem(self._silence(bearable()), mistake=False)

    def close(self) -> None:
        """Let the delivery process deliver the rest and then end."""
        self._child.requests.close()

    def _send_news(self) -> None:
        """Announce news of folders until the pipe is full; the rest is announced later."""
        self._receive()  # so that the delivery process never waits for room in its own pipe
        for name in list(self._unsent):
            if not self._send({"news": name}):
                return
            self._unsent.discard(name)

    def _send(self, message: dict[str, Any]) -> bool:
        content = pickle.dumps(message)
        # The pipe takes a short message whole or not at all; a long one has to wait for room.
        is_short = len(content) + _HEADER_BYTES <= select.PIPE_BUF
        os.set_blocking(self._child.requests.fileno(), not is_short)
        try:
            self._child.requests.send_bytes(content)
        except BlockingIOError:
            return False
        return True

    def _answers(self, deadline: Callable[[], float]) -> Iterator[dict[str, Any]]:
        """Yield answers until the deadline, or until the delivery process ends."""
        while (left := deadline() - time.monotonic()) > 0:
            while self._unread:
                answer = self._unread.popleft()
                if "ready" in answer:
                    self._ready_at = time.monotonic()
                yield answer
            with contextlib.suppress(BrokenPipeError):  # the next read notices it
                self._send_news()
            if not self._unread and not self._receive(min(left, 1.0)):
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._child.process.wait(left)
                return

    def _receive(self, seconds: float = 0.0) -> bool:
        """Read answers for at most `seconds`; return False once the delivery process has ended."""
        received = False
        try:
            while self._child.answers.poll(0.0 if received else seconds):
                self._unread.append(self._child.answers.recv())
                received = True
        except (EOFError, OSError):
            return received
        return True

    def _silence(self, patience: float) -> str:
        if self._child.process.poll() is None:
            return f"no answer within {patience:.0f} s"
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return f"the delivery process ended: {lines[-1] if lines else 'without a word'}"


def sender(uri: str) -> Sender:
    """Return this process's sender to an address, started at the first call.

    A relative address names another store once the current folder has changed.
    """
    return _sender(uri, Path.cwd())


@functools.cache
def _sender(uri: str, _folder: Path) -> Sender:
    started = Sender(uri)
    atexit.register(started.close)
    return started
