"""A run in this process, by the code of train.py: its configuration, objects, loop and journal."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

from benchmarks.process import PROJECT
from experiments import compose
from experiments.config import RunConfig
from experiments.journal import History, Journal, history
from experiments.run.load_torch import load_torch
from experiments.tracking import Recorder


def composed(*overrides: str) -> RunConfig:
    """Return the checked configuration of train.py, without tracking."""
    return compose(["tracking=none", *overrides], config_dir=PROJECT / "conf")


def _recorder(journal: Journal) -> Recorder:
    return Recorder(journal, history(journal.folder), None)


def trained(*overrides: str, recorder: Callable[[Journal], Recorder] = _recorder) -> History:
    """Train and test a run without tracking; return the history that its journal tells.

    Its output goes nowhere, so a terminal's progress bar does not change the times.

    Args:
        overrides: those of the command line.
        recorder: makes the recorder of the run's reports.
    """
    load_torch()
    from experiments.run.build import assemble
    from experiments.run.train_and_test import train_and_test

    config = composed(*overrides)
    parts = assemble(config)
    with (
        tempfile.TemporaryDirectory(dir=PROJECT / "outputs") as name,
        Journal(Path(name)) as journal,
        redirect_stdout(io.StringIO()),
    ):
        train_and_test(
            config=config,
            parts=parts,
            identity="0" * 64,
            overrides=overrides,
            recorder=recorder(journal),
            folder=Path(name),
            check=lambda: None,
        )
        return history(Path(name))


def epoch_seconds(told: History) -> list[float]:
    """Return the seconds of each epoch's training, in order."""
    epochs = sorted(epoch for name, epoch in told.points if name == "epoch_seconds")
    return [told.points["epoch_seconds", epoch] for epoch in epochs]
