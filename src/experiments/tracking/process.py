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
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from experiments.tracking.delivery import Delivery
from experiments.tracking.store import connect, preload, problem_of

if TYPE_CHECKING:
    from mlflow import MlflowClient

_RETRY_SECONDS = 1.0


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
    client: MlflowClient | None = None
    runs: dict[str, Delivery] = {}
    pending = set(news)
    closed = False
    while not closed:
        received = inbox.read(_RETRY_SECONDS if pending else None)
        closed = received is None
        pending |= set(runs) if received is None else set(received)
        for folder in sorted(pending):
            run = runs.setdefault(folder, Delivery(Path(folder), uri))
            problem = None
            try:
                client = client or connect(uri)
                run.deliver(client)
                if closed:
                    run.mark_killed(client)
            except Exception as error:  # noqa: BLE001  (whatever it is, the other side says it)
                problem = problem_of(error)
            else:
                pending.discard(folder)
            if run.ended:  # before that nobody reads the answers
                answer = {"folder": folder, "run_id": run.run_id, "problem": problem}
                with contextlib.suppress(BrokenPipeError):  # nobody listens any more; go on
                    print(json.dumps(answer), file=answers)
            if run.complete:
                del runs[folder]


def main() -> None:
    """Serve on the standard input and output; what MLflow prints goes to the standard error."""
    with os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1) as answers:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        serve(_Inbox(sys.stdin.fileno()), answers)


if __name__ == "__main__":
    main()
