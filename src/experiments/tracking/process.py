"""The delivery process: `python -m experiments.tracking.process`, started by `sender`.

It reads the tracking address and then, a line each, the folders of runs with news. Once a run has
ended, it answers with a JSON line per attempt. When its input ends, the training process is gone; a
run without an end was killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import sys
import time
from pathlib import Path
from typing import Any, TextIO

from experiments.tracking.delivery import Delivery
from experiments.tracking.store import connect, preload, problem_of

_RETRY_SECONDS = 1.0
_LAST_SECONDS = 60.0  # how long to go on trying when the training process is gone


class _Inbox:
    """Lines from a pipe, with a time limit."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._rest = descriptor, b""

    def read(self, seconds: float | None) -> list[str] | None:
        """Return the JSON strings that have come, none after so many seconds, None at the end."""
        if not select.select([self._descriptor], [], [], seconds)[0]:
            return []
        received = os.read(self._descriptor, 65536)
        if not received:
            return None
        *lines, self._rest = (self._rest + received).split(b"\n")
        return [json.loads(line) for line in lines]


def serve(inbox: _Inbox, answers: TextIO) -> None:
    """Deliver for the process at the other end of the pipes until it closes them."""
    news = inbox.read(None)
    if not news:
        return
    uri, *news = news
    preload(uri)  # while the other process still imports torch
    unfinished, pending = set(news), set(news)
    deadline = None
    while deadline is None or (pending and time.monotonic() < deadline):
        if deadline is not None:
            time.sleep(_RETRY_SECONDS)
        elif (received := inbox.read(_RETRY_SECONDS if pending else None)) is None:
            deadline = time.monotonic() + _LAST_SECONDS
            pending |= unfinished
        else:
            unfinished |= set(received)
            pending |= set(received)
        for folder in sorted(pending):
            answer = _attempt(Path(folder), uri, abandoned=deadline is not None)
            if answer["problem"] is None:
                pending.discard(folder)
            if answer["complete"]:
                unfinished.discard(folder)
            if answer.pop("ended"):  # before that nobody reads the answers
                with contextlib.suppress(BrokenPipeError):  # nobody listens any more; go on
                    print(json.dumps(answer), file=answers)


def _attempt(folder: Path, uri: str, *, abandoned: bool) -> dict[str, Any]:
    answer = {"folder": str(folder), "run_id": None, "ended": True, "complete": False}
    try:
        run = Delivery(folder, uri)
        answer["ended"] = run.ended
        run.deliver(connect(uri), abandoned=abandoned)
    except Exception as error:  # noqa: BLE001  (whatever it is, the other side says it)
        return answer | {"problem": problem_of(error)}
    return answer | {"run_id": run.run_id, "complete": run.complete, "problem": None}


def main() -> None:
    """Serve on the standard input and output; what MLflow prints goes to the standard error."""
    with os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1) as answers:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        serve(_Inbox(sys.stdin.fileno()), answers)


if __name__ == "__main__":
    main()
