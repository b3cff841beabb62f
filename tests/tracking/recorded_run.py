"""A run that is recorded in this process, without a training and without MLflow."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from experiments import journal
from experiments.journal import Journal
from experiments.tracking import recording
from experiments.tracking.recorder import Recorder


@contextlib.contextmanager
def recorded(
    folder: Path, params: Mapping[str, str], tags: Mapping[str, str] | None = None
) -> Iterator[Recorder]:
    """Record a run in a folder, or continue the one there."""
    folder.mkdir(exist_ok=True)
    with (
        Journal(folder) as opened,
        recording(
            journal=opened,
            past=journal.history(folder),
            uri=None,
            identity="0" * 64,
            experiment="e",
            name="n",
            params=dict(params),
            tags=dict(tags or {}),
            dataset=None,
            given={},
        ) as recorder,
    ):
        yield recorder
