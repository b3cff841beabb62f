"""A resumed run records every value once: those that it repeats are skipped, others are not."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from experiments import journal
from experiments.journal import Journal, Place
from experiments.tracking import Recorder

Saved = tuple[Mapping[str, Any], Place]


@contextlib.contextmanager
def process(folder: Path, saved: Saved | None = None) -> Iterator[Recorder]:
    """A process that trains a run, from a checkpoint if there is one."""
    with Journal(folder) as opened:
        recorder = Recorder(opened, journal.history(folder), None)
        if saved:
            recorder.restore(*saved)
        yield recorder


def recorded(folder: Path, key: str) -> list[tuple[int, float]]:
    events, _ = journal.read(folder)
    return [(each["step"], each["metrics"][key]) for each in events if key in each["metrics"]]


def test_several_values_of_a_step_are_each_recorded_once(tmp_path: Path) -> None:
    with process(tmp_path) as run:
        run.value("own", 1.0, step=5)
        first = run.state(), run.place
        run.value("own", 2.0, step=5)
        run.value("own", 3.0, step=5)
    with process(tmp_path, first) as run:  # it repeats one, and saves a checkpoint
        run.value("own", 2.0, step=5)
        second = run.state(), run.place
    with process(tmp_path, second) as run:
        run.value("own", 3.0, step=5)
        run.value("own", 4.0, step=5)
        assert run.result.metrics == {"own": 4.0}
    assert recorded(tmp_path, "own") == [(5, value) for value in (1.0, 2.0, 3.0, 4.0)]


def test_before_the_first_checkpoint_all_is_repeated(tmp_path: Path) -> None:
    with process(tmp_path) as run:
        run.value("own", 1.0, step=1)
        run.metrics({"loss": 0.5}, 1)
    with process(tmp_path) as run:
        run.value("own", 1.0, step=1)
        run.metrics({"loss": 0.5}, 1)
        run.metrics({"loss": 0.25}, 2)
    assert recorded(tmp_path, "own") == [(1, 1.0)]
    assert recorded(tmp_path, "loss") == [(1, 0.5), (2, 0.25)]


def test_a_metric_of_the_user_s_steps_stays_one(tmp_path: Path) -> None:
    with process(tmp_path) as run:
        run.value("own", 1.0, step=1)
        saved = run.state(), run.place
    with process(tmp_path, saved) as run:
        run.value("own", 0.0, step=0)
        assert run.values_of_epoch() == {}
    assert recorded(tmp_path, "own") == [(1, 1.0), (0, 0.0)]


def test_values_for_the_epoch_are_those_of_the_checkpoint(tmp_path: Path) -> None:
    with process(tmp_path) as run:
        run.keep_for_epoch({"own": 1.0})
        saved = run.state(), run.place
    with process(tmp_path) as run:
        run.keep_for_epoch({"own": 2.0, "begun": 2.0})  # at the beginning of the process
        run.restore(*saved)
        assert run.values_of_epoch() == {"own": 1.0}
        assert run.values_of_epoch() == {}


def test_no_value_of_another_thread_is_lost_at_the_end_of_an_epoch(tmp_path: Path) -> None:
    names = [f"own{number}" for number in range(20_000)]
    taken: list[str] = []
    with process(tmp_path) as run:
        thread = threading.Thread(
            target=lambda: [run.keep_for_epoch({name: 1.0}) for name in names]
        )
        thread.start()
        while thread.is_alive():
            taken += run.values_of_epoch()
        taken += run.values_of_epoch()
    assert taken == names
