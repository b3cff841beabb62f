"""The run to which MLflow's functions log in this process, such as a user's `mlflow.log_metric`.

MLflow finds it by `experiments.mlflow_plugin`. This module does not import MLflow, which takes a
second that a run without such a call need not spend.
"""

from __future__ import annotations

import os
import sys
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from experiments.errors import RunError
from experiments.journal import History, history
from experiments.tracking import environment
from experiments.tracking.recorder import Recorder


class CurrentRun:
    """A run that is trained in this process."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.folder = recorder.folder.absolute()

    @cached_property
    def start(self) -> Mapping[str, Any]:
        """The event in its journal that began it."""
        return self.history.start

    @property
    def id(self) -> str:
        """The id in its journal; MLflow gives its copy of the run another one."""
        return str(self.start["id"])

    @property
    def name(self) -> str:
        """Its name in MLflow."""
        return str(self.start["name"])

    @property
    def experiment(self) -> str:
        """Its experiment in MLflow."""
        return str(self.start["experiment"])

    @cached_property
    def params(self) -> dict[str, str]:
        """Its parameters: the configuration, and what the user's code has logged."""
        return {**self.start["params"], **self.history.params}

    @property
    def history(self) -> History:
        """The present content of its journal."""
        return history(self.folder)


class Trial:
    """A trial of parts before there is a run; everything that it logs is forgotten."""

    def __init__(self) -> None:
        self.id = uuid.uuid4().hex

    @cached_property
    def folder(self) -> Path:
        """A folder for its artifacts, until the trial ends."""
        self._files = tempfile.TemporaryDirectory()
        return Path(self._files.name)

    def remove(self) -> None:
        """Delete the folder, if there is one."""
        if "folder" in vars(self):
            self._files.cleanup()


class _Refusal:
    """The reason why no run can be logged to."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


_entered: list[CurrentRun | Trial | _Refusal] = []
_pid = os.getpid()


def current() -> CurrentRun | Trial:
    """Return the run or the trial that MLflow's functions log to.

    Raises:
        RunError: there is none, or more than one.
    """
    if not _entered or os.getpid() != _pid:
        raise RunError(
            "MLflow: this process trains no run, so nothing can be logged here; log in the process "
            "that trains, or name a store with mlflow.set_tracking_uri"
        )
    if isinstance(last := _entered[-1], Trial):
        return last
    runs = []
    for each in _entered:
        if isinstance(each, _Refusal):
            raise RunError(each.reason)
        if isinstance(each, CurrentRun):
            runs.append(each)
    (run,) = runs
    return run


@contextmanager
def logged_to(recorder: Recorder) -> Iterator[None]:
    """Have MLflow's functions log to a run, in a `with` block."""
    with _inside(CurrentRun(recorder)):
        yield


@contextmanager
def trial() -> Iterator[None]:
    """Have MLflow's functions log nowhere, in a `with` block around a trial of parts."""
    tried = Trial()
    try:
        with _inside(tried):
            yield
    finally:
        tried.remove()


@contextmanager
def refused() -> Iterator[None]:
    """Have MLflow's functions raise an error, in a `with` block around the training of a stack."""
    with _inside(
        _Refusal(
            "MLflow: a stack of jobs trains as one model, so a value that the code logs itself "
            "belongs to no single run; such jobs are trained alone"
        )
    ):
        yield


@contextmanager
def _inside(entry: CurrentRun | Trial | _Refusal) -> Iterator[None]:
    global _pid
    _pid = os.getpid()
    _entered.append(entry)
    environment.enter()
    try:
        yield
    finally:
        try:
            end_active_run()
        finally:
            _entered.remove(entry)
            if not _entered:
                environment.leave()


def end_active_run() -> None:
    """Close the run in MLflow's own stack, so that the user's code may start it once more.

    MLflow starts it at the first call that logs, and refuses another start until its end.
    """
    if "mlflow.tracking.fluent" not in sys.modules:
        return
    import mlflow

    while (active := mlflow.active_run()) and active.info.artifact_uri.startswith(
        environment.ADDRESS
    ):
        address = mlflow.get_tracking_uri()
        if address == environment.ADDRESS:
            mlflow.end_run()
            continue
        mlflow.set_tracking_uri(environment.ADDRESS)  # the user has named another store since
        mlflow.end_run()
        mlflow.set_tracking_uri(address)
