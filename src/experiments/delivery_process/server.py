"""The delivery process: `python -m experiments.delivery_process.server`, started by `sender`.

It receives dictionaries: first the tracking address and the import path, then folders of runs that
have news or lost their process, and identities to look up. It answers with dictionaries: a notice
once MLflow is loaded, the run of an identity, and the result of each attempt to deliver a run that
has ended. Meanwhile it renews the leases of runs. When its input ends, the training process is
gone; runs without an end are then marked KILLED, and the models of finished runs are logged.
"""

from __future__ import annotations

import contextlib
import sys
import time
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.delivery_process.log_model import log_models
from experiments.delivery_process.system_metrics import SystemMetrics
from experiments.process.messages import parent
from experiments.process.priority import give_way
from experiments.process.streams import guarded_output
from experiments.redaction.hide import remember
from experiments.redaction.secret_forms import passwords_in
from experiments.tracking.delivery import Delivery
from experiments.tracking.lease import HEARTBEAT_SECONDS
from experiments.tracking.lookup import find, mark_dead
from experiments.tracking.permissions import check_may_write, naming_the_experiment
from experiments.tracking.problems import Problem, problem_of
from experiments.tracking.store import (
    check_active,
    connect,
    contact,
    exists,
    experiment_named,
    preload,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient

_RETRY_SECONDS = 1.0
_LAST_SECONDS = 60.0  # for attempts after the training process is gone


def _received(requests: Connection, seconds: float | None) -> list[dict[str, Any]] | None:
    """Return new messages; an empty list if none comes within `seconds`; None at the end."""
    messages: list[dict[str, Any]] = []
    try:
        while requests.poll(0 if messages else seconds):
            messages.append(requests.recv())
    except (EOFError, OSError):
        return messages or None
    return messages


class _Server:
    """The state of the process: the store, and the runs that are not delivered whole."""

    def __init__(self, uri: str, answers: Connection) -> None:
        self._uri, self._answers = uri, answers
        self._unfinished: set[str] = set()
        self._pending: set[str] = set()
        self._gone: set[str] = set()
        self._revived: set[str] = set()
        self._checked: set[tuple[str, bool]] = set()
        self._marks_dead = False
        self._system_metrics = SystemMetrics(uri)
        self._problem = self._first_contact()
        self._renewed = time.monotonic()
        self._answer({"ready": True})

    def _first_contact(self) -> Problem | None:
        preload(self._uri)  # while the other process still imports torch
        if not exists(self._uri):
            return None
        try:
            contact(self._uri)
        except Exception as error:  # noqa: BLE001  (`_find` reports it)
            return problem_of(error, self._uri)
        self._marks_dead = True
        return None

    def serve(self, requests: Connection) -> None:
        """Deliver until the other side closes the pipe, and then deliver the rest."""
        received = _received(requests, 0.0)
        while received is not None:
            for message in received:
                if "find" in message:
                    self._find(message["find"], message["experiment"], force=message["force"])
                elif "gone" in message:
                    self._gone.add(message["gone"])
                    self._pending.add(message["gone"])
                else:
                    self._gone.discard(message["news"])
                    self._unfinished.add(message["news"])
                    self._pending.add(message["news"])
            self._mark_dead()
            self._deliver()
            seconds = HEARTBEAT_SECONDS if self._unfinished else None
            received = _received(requests, _RETRY_SECONDS if self._pending else seconds)
        deadline = time.monotonic() + _LAST_SECONDS
        self._deliver_all()
        while self._pending | self._unfinished and time.monotonic() < deadline:
            time.sleep(_RETRY_SECONDS)
            self._deliver_all()
        self._log_models()

    def _log_models(self) -> None:
        """Log the models of finished runs, now that nobody waits for an answer."""
        give_way()  # the next command may be training already
        for folder in sorted(self._revived):
            try:
                if Delivery(Path(folder), self._uri).lacks_model:
                    log_models(connect(self._uri), self._uri, Path(folder))
            except Exception as error:  # noqa: BLE001  (`experiments sync` tries again)
                print(problem_of(error, self._uri).text, file=sys.stderr)  # noqa: T201

    def _deliver_all(self) -> None:
        """Deliver the rest; a sweep's jobs may still be saving their last checkpoints."""
        self._pending |= self._unfinished
        self._deliver(abandoned=True)

    def _mark_dead(self) -> None:
        """Mark runs that died unnoticed, once, while nobody waits for an answer."""
        if self._marks_dead:
            self._marks_dead = False
            try:
                mark_dead(connect(self._uri))
            except Exception as error:  # noqa: BLE001  (the next command tries again)
                print(problem_of(error, self._uri).text, file=sys.stderr)  # noqa: T201

    def _find(self, identity: str, experiment: str, *, force: bool) -> None:
        found, problem = None, self._problem
        if problem is None and exists(self._uri):
            try:
                client = connect(self._uri)
                self._check_experiment(client, experiment, writing=False)
                found = find(client, identity)
                if force or found is None or found["state"] != "finished":
                    self._check_experiment(client, experiment, writing=True)
            except Exception as error:  # noqa: BLE001  (the other side reports it)
                problem = problem_of(error, self._uri)
        self._answer({"find": identity, "found": found, "problem": problem and asdict(problem)})

    def _check_experiment(self, client: MlflowClient, name: str, *, writing: bool) -> None:
        """Check, once, that an experiment can be read or written; it need not exist yet."""
        if (name, writing) in self._checked:
            return
        with naming_the_experiment(self._uri, name):
            found = experiment_named(client, self._uri, name)
        if found is not None:
            check_active(self._uri, found)
            if writing:
                check_may_write(client, self._uri, found)
        self._checked.add((name, writing))

    def _deliver(self, *, abandoned: bool = False) -> None:
        renew = not abandoned and time.monotonic() - self._renewed >= HEARTBEAT_SECONDS
        for folder in sorted(self._unfinished if renew else self._pending):
            is_gone = abandoned or folder in self._gone
            answer = self._attempt(Path(folder), abandoned=is_gone, renew=renew)
            if answer["problem"] is None:
                self._pending.discard(folder)
            if answer["complete"]:
                self._unfinished.discard(folder)
            if answer.pop("ended"):  # nobody reads earlier answers
                self._answer(answer)
        if renew:
            self._renewed = time.monotonic()

    def _attempt(self, folder: Path, *, abandoned: bool, renew: bool) -> dict[str, Any]:
        answer = {"folder": str(folder), "run_id": None, "ended": True, "complete": False}
        try:
            run = Delivery(folder, self._uri)
            answer["ended"] = run.ended
            client = connect(self._uri)
            if str(folder) not in self._revived:
                run.revive(client)  # a new command for the run undoes its deletion
                self._revived.add(str(folder))
            run.deliver(client, abandoned=abandoned)
            self._system_metrics.follow(run)
            if renew:
                run.renew_lease(client)
            self._problem = None
        except Exception as error:  # noqa: BLE001  (the other side reports it)
            return answer | {"problem": asdict(problem_of(error, self._uri))}
        ended = answer["ended"] or run.complete
        told = {"run_id": run.run_id, "ended": ended, "complete": run.complete, "problem": None}
        return answer | told

    def _answer(self, answer: dict[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError):  # nobody listens any more; go on
            self._answers.send(answer)


@guarded_output()
def main() -> None:
    """Serve on the standard input and output; MLflow's prints go to the standard error."""
    requests, answers = parent()
    try:
        beginning = requests.recv()
    except (EOFError, OSError):
        return  # the training process is gone already
    uri, sys.path[:] = beginning["uri"], beginning["path"]
    remember(*passwords_in(uri))
    _Server(uri, answers).serve(requests)


if __name__ == "__main__":
    main()
