"""The training process's end of delivery: say that there is news, and wait for it once, at the end.

The other process imports MLflow while this one imports torch, and waits for the server so that
training never does. See docs/decisions/0002-delivery-process.md.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from pathlib import Path


class Sender:
    """The delivery process of this process, shared by all its runs that track to one address."""

    def __init__(self, uri: str) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  (lives as long as the process)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "experiments.tracking.process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            start_new_session=True,  # Ctrl-C is for the training; delivery goes on to the end
        )
        assert self._process.stdin is not None  # noqa: S101  (Popen's contract for PIPE)
        assert self._process.stdout is not None  # noqa: S101
        self._input, self._output = self._process.stdin.fileno(), self._process.stdout.fileno()
        # The address may hold a password, so it goes through the pipe: no command line, no file.
        os.write(self._input, json.dumps(uri).encode() + b"\n")
        os.set_blocking(self._input, False)

    def tell(self, folder: Path) -> None:
        """Say that a folder's journal has news; never waits."""
        try:
            os.write(self._input, json.dumps(str(folder)).encode() + b"\n")
        except BlockingIOError:
            return  # the pipe is full of news it has not read; each of it means "read all there is"
        except BrokenPipeError:
            return  # the process is gone, which `wait` reports

    def wait(
        self, folder: Path, *, patience: float = 30.0, attempts: int = 3
    ) -> tuple[str | None, str | None]:
        """Wait until an ended run is delivered; return its MLflow run id and what went wrong.

        The wait ends after so many seconds, or so many attempts that failed.
        """
        deadline = time.monotonic() + patience
        problem, buffered = None, b""
        while (left := deadline - time.monotonic()) > 0:
            if not select.select([self._output], [], [], left)[0]:
                break
            received = os.read(self._output, 65536)
            if not received:
                return None, self._last_words()
            *lines, buffered = (buffered + received).split(b"\n")
            for answer in map(json.loads, lines):
                if answer["folder"] != str(folder):
                    continue
                if answer["problem"] is None:
                    return answer["run_id"], None
                problem = answer["problem"]
                attempts -= 1
            if attempts <= 0:
                break
        return None, problem or f"no answer within {patience:.0f} s"

    def close(self) -> None:
        """Let the process deliver what it has and end by itself."""
        if self._process.stdin is not None:
            self._process.stdin.close()

    def _last_words(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return f"the delivery process ended: {lines[-1] if lines else 'without a word'}"


@functools.cache
def sender(uri: str) -> Sender:
    """Return this process's sender to an address, started at the first call."""
    started = Sender(uri)
    atexit.register(started.close)
    return started
