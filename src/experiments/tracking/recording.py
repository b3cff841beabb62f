"""Recording: what a run reports goes to its journal, and from there to MLflow."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from experiments.interruption import Interrupted
from experiments.journal import Journal
from experiments.tracking.sender import Sender, sender
from experiments.tracking.store import address

_log = logging.getLogger(__name__)

Status = Literal["FINISHED", "FAILED", "KILLED"]


class Recorder:
    """What a run may report."""

    def __init__(self, journal: Journal, folder: Path, to: Sender | None) -> None:
        self._journal, self._folder, self._to = journal, folder, to

    def metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Record values at a step, durably."""
        self._write("metrics", metrics=dict(metrics), step=step)

    def tags(self, tags: Mapping[str, str]) -> None:
        """Record searchable texts about the run."""
        self._write("tags", tags=dict(tags))

    def artifacts(self, *names: str) -> None:
        """Record files of the run's folder as artifacts; they stay where they are."""
        self._write("artifacts", names=names)

    def end(self, status: Status) -> None:
        """Record how the run ended."""
        self._write("end", status=status)

    def _write(self, event: str, **fields: Any) -> None:
        self._journal.write(event, **fields)
        self._journal.sync()
        if self._to is not None:
            self._to.tell(self._folder)


@contextmanager
def recording(
    *,
    folder: Path,
    uri: str | None,
    experiment: str,
    name: str,
    params: Mapping[str, str],
    tags: Mapping[str, str],
    dataset: Mapping[str, str],
) -> Iterator[Recorder]:
    """Record a run in its folder and in MLflow, with the right status however it ends.

    Args:
        folder: the run's own folder, without a journal in it.
        uri: MLflow's tracking address; None keeps the run in its folder only.
        experiment: the MLflow experiment.
        name: the run's name in MLflow.
        params: the configuration, flat.
        tags: searchable texts about the run.
        dataset: the data's `name`, `digest` (at most 36 characters) and `source`.
    """
    to = sender(uri) if uri is not None else None
    with Journal(folder) as journal:
        recorder = Recorder(journal, folder, to)
        journal.write(
            "start",
            id=uuid.uuid4().hex,
            store=address(uri) if uri is not None else None,
            experiment=experiment,
            name=name,
            params=dict(params),
            tags=dict(tags),
            dataset=dict(dataset),
        )
        try:
            yield recorder
        except (Interrupted, KeyboardInterrupt):
            recorder.end("KILLED")
            raise
        except BaseException as error:
            recorder.tags({"failure": f"{type(error).__name__}: {error}"[:500]})
            recorder.end("FAILED")
            raise
        else:
            recorder.end("FINISHED")
        finally:
            if to is not None:
                _confirm(to, folder, experiment)


def _confirm(to: Sender, folder: Path, experiment: str) -> None:
    run_id, problem = to.wait(folder)
    if problem is None:
        _log.info("MLflow run %s in experiment %s", run_id, experiment)
    else:
        _log.warning(
            "MLflow has not taken all of this run: %s. Nothing is lost: "
            "`experiments sync %s` delivers it later",
            problem,
            os.path.relpath(folder),
        )
