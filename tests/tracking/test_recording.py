"""Every run gets the right status at its end."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from experiments import journal
from experiments.catalog.summary import summary_of
from experiments.process.signals import Interrupted
from experiments.registry.objective import ACCURACY, Objective
from tests.tracking.recorded_run import recorded


def record(
    folder: Path,
    error: BaseException | None = None,
    objective: Objective = ACCURACY,
    **metrics: float,
) -> list[dict]:
    outcome = contextlib.nullcontext() if error is None else pytest.raises(type(error))
    with outcome, recorded(folder, {"a": "1"}, objective.tags) as recorder:
        recorder.metrics(metrics or {"loss": 0.5}, 1)
        if error is not None:
            raise error
    return journal.read(folder)[0]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (None, "FINISHED"),
        (ValueError("bad"), "FAILED"),
        (SystemExit(3), "FAILED"),
        (MemoryError(), "FAILED"),
        (KeyboardInterrupt(), "KILLED"),
        (Interrupted(15), "KILLED"),
    ],
)
def test_the_status_is_right_however_it_ends(tmp_path: Path, error, status: str) -> None:
    events = record(tmp_path, error)
    assert events[0]["event"] == "start"
    assert events[-1] == {"event": "end", "time": events[-1]["time"], "status": status}


def test_a_failure_is_named(tmp_path: Path) -> None:
    events = record(tmp_path, ValueError("bad"))
    assert {"failure": "ValueError: bad"} in [event.get("tags") for event in events]


def test_continued_it_repeats_nothing(tmp_path: Path) -> None:
    record(tmp_path, Interrupted(15))
    events = record(tmp_path, loss=0.5, accuracy=0.9)
    kinds = [event["event"] for event in events]
    assert kinds == ["start", "metrics", "end", "continue", "metrics", "end"]
    assert events[4]["metrics"] == {"accuracy": 0.9}
    assert journal.history(tmp_path).status == "FINISHED"


def test_a_resumed_run_has_the_objective_of_its_command(tmp_path: Path) -> None:
    record(tmp_path, Interrupted(15))
    record(tmp_path, Interrupted(15), Objective("loss", "minimize"), accuracy=0.9, test_loss=2.0)
    run = summary_of(tmp_path)
    assert run is not None
    assert (run.ranked_by.name, run.objective) == ("loss", 2.0)
    kinds = [event["event"] for event in record(tmp_path, None, Objective("loss", "minimize"))]
    assert kinds.count("tags") == 1  # once is enough
