"""The training process's end of delivery: say that there is news, and wait for it once, at the end.

The other process imports MLflow while this one imports torch, and waits for the server so that
training never does. See docs/decisions/0002-delivery-process.md.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from experiments.process.messages import start
from experiments.process.signals import is_asked
from experiments.tracking.problems import Problem

_INTERRUPTED_SECONDS = 5.0  # people who stop a run will not wait long; the rest is delivered later
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
        self._child = start("experiments.tracking.server", errors=self._errors)
        self._unread: deque[dict[str, Any]] = deque()
        self._ended: dict[str, dict[str, Any]] = {}
        self._ready_at: float | None = None
        # The address may hold a password, so it goes through the pipe: no command line, no file.
        self._child.requests.send({"uri": self._uri})
        os.set_blocking(self._child.requests.fileno(), False)

    def tell(self, folder: Path) -> None:
        """Say that a folder's journal has news; never waits. A process that died is replaced."""
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
        """Say that a run's process is gone, which perhaps could not say so itself."""
        with contextlib.suppress(BrokenPipeError):  # then the next command finds the run
            self._send({"gone": str(folder.absolute())})

    def find(
        self, identity: str, experiment: str, *, patience: float = 4.0
    ) -> dict[str, Any] | Problem | None:
        """Return the store's run with an identity, None if there is none, or why it cannot tell.

        The wait ends so many seconds after MLflow is loaded.

        Args:
            identity: what to look for.
            experiment: where a run of it would be recorded; one that is deleted is a problem.
            patience: seconds.
        """
        asked = time.monotonic()
        try:
            self._send({"find": identity, "experiment": experiment})
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
        """Wait until an ended run is delivered; return its MLflow run id and what went wrong.

        The wait ends after so many seconds, fewer where the process is asked to stop, or after so
        many attempts that failed.
        """
        name, began = str(folder.absolute()), time.monotonic()
        problem: Problem | None = None

        def bearable() -> float:
            return min(patience, _INTERRUPTED_SECONDS) if is_asked() else patience

        if (known := self._ended.pop(name, None)) is not None:
            self._unread.appendleft(known)
        for answer in self._answers(lambda: began + bearable()):
            if answer.get("folder") != name:
                if "folder" in answer:
                    self._ended[answer["folder"]] = answer  # asked for later, perhaps
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
        """Let the process deliver what it has and end by itself."""
        self._child.requests.close()

    def _send_news(self) -> None:
        """Say of which folders there is news, as far as the pipe takes it; the rest comes later."""
        self._receive()  # or the other process may wait for room in its own pipe
        while self._unsent and self._send({"news": next(iter(self._unsent))}):
            self._unsent.pop()

    def _send(self, message: dict[str, str]) -> bool:
        try:
            self._child.requests.send(message)  # so short that the pipe takes all of it or nothing
        except BlockingIOError:
            return False
        return True

    def _answers(self, deadline: Callable[[], float]) -> Iterator[dict[str, Any]]:
        """Yield answers until a time, or until the process ends."""
        while (left := deadline() - time.monotonic()) > 0:
            while self._unread:
                answer = self._unread.popleft()
                if "ready" in answer:
                    self._ready_at = time.monotonic()
                yield answer
            with contextlib.suppress(BrokenPipeError):  # which the next read says
                self._send_news()
            if not self._unread and not self._receive(min(left, 1.0)):
                self._child.process.wait()
                return

    def _receive(self, seconds: float = 0.0) -> bool:
        """Take in answers for at most so long; return False once the process has ended."""
        try:
            while self._child.answers.poll(seconds):
                self._unread.append(self._child.answers.recv())
                seconds = 0.0
        except (EOFError, OSError):
            return False
        return True

    def _silence(self, patience: float) -> str:
        if self._child.process.poll() is None:
            return f"no answer within {patience:.0f} s"
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return f"the delivery process ended: {lines[-1] if lines else 'without a word'}"


@functools.cache
def sender(uri: str) -> Sender:
    """Return this process's sender to an address, started at the first call."""
    started = Sender(uri)
    atexit.register(started.close)
    return started
