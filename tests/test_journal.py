"""The journal keeps every event, in order, in a folder of one run."""

from __future__ import annotations

import fcntl
import json
import threading
import time
from pathlib import Path

import pytest

from experiments import journal
from experiments.errors import InputError
from experiments.journal import InUseError, Journal


def test_what_is_written_is_read_from_any_offset(tmp_path: Path) -> None:
    with Journal(tmp_path) as written:
        written.write("start", name="a\nb ä")
        first, offset = journal.read(tmp_path)
        written.write("metrics", metrics={"loss": 0.1 + 0.2}, step=1)
    assert [event["event"] for event in first] == ["start"]
    assert first[0]["name"] == "a\nb ä"
    assert abs(first[0]["time"] / 1000 - time.time()) < 60
    rest, end = journal.read(tmp_path, offset)
    assert [(event["metrics"], event["step"]) for event in rest] == [({"loss": 0.1 + 0.2}, 1)]
    assert journal.read(tmp_path, end) == ([], end)
    assert end == (tmp_path / journal.NAME).stat().st_size


def test_a_line_half_written_is_left_for_later(tmp_path: Path) -> None:
    path = tmp_path / journal.NAME
    path.write_text(json.dumps({"event": "start"}) + '\n{"event": "met')
    events, offset = journal.read(tmp_path)
    assert events == [{"event": "start"}]
    with path.open("a") as file:
        file.write('rics"}\n')
    assert journal.read(tmp_path, offset)[0] == [{"event": "metrics"}]


@pytest.mark.parametrize("value", [float("inf"), float("-inf")])
def test_infinities_survive(tmp_path: Path, value: float) -> None:
    with Journal(tmp_path) as written:
        written.write("metrics", metrics={"loss": value}, step=1)
    assert journal.read(tmp_path)[0][0]["metrics"]["loss"] == value


def test_two_processes_cannot_write_at_once(tmp_path: Path) -> None:
    with Journal(tmp_path), pytest.raises(InUseError):
        Journal(tmp_path)
    Journal(tmp_path).__exit__(None, None, None)


def test_a_line_half_written_is_cut_off_before_going_on(tmp_path: Path) -> None:
    path = tmp_path / journal.NAME
    path.write_text(json.dumps({"event": "start"}) + '\n{"event": "met')
    with Journal(tmp_path) as written:
        written.write("continue")
    assert [event["event"] for event in journal.read(tmp_path)[0]] == ["start", "continue"]


def test_a_look_at_the_lock_is_waited_for(tmp_path: Path) -> None:
    Journal(tmp_path).__exit__(None, None, None)
    with (tmp_path / journal.NAME).open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        timer = threading.Timer(0.1, fcntl.flock, (file, fcntl.LOCK_UN))
        timer.start()
        with Journal(tmp_path):
            timer.join()


@pytest.mark.parametrize("line", ['{"event": "st#', "1", "{}", "[]"])
def test_a_damaged_line_is_said(tmp_path: Path, line: str) -> None:
    (tmp_path / journal.NAME).write_text(f'{line}\n{{"event": "end"}}\n')
    with pytest.raises(InputError, match="is damaged"):
        journal.history(tmp_path)


def test_history(tmp_path: Path) -> None:
    assert journal.history(tmp_path).start == {}
    with Journal(tmp_path) as written:
        written.write("start", identity="0")
        for step, loss in ((1, 0.5), (10, 0.3), (9, 0.4)):
            written.write("metrics", metrics={"loss": loss}, step=step)
        written.write("tags", tags={"diverged": "true"})
        written.write("artifacts", names=["config.yaml"])
        written.write("end", status="KILLED")
    past = journal.history(tmp_path)
    assert past.start["identity"] == "0"
    assert past.metrics == {"loss": 0.3}
    assert past.points[("loss", 9)] == 0.4
    assert (past.tags, past.artifacts) == ({"diverged": "true"}, {"config.yaml"})
    assert past.status == "KILLED"
    with Journal(tmp_path) as written:
        written.write("continue")
    assert journal.history(tmp_path).status is None
