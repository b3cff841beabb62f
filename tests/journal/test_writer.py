"""The journal keeps every event, in order, in a folder of one run."""

from __future__ import annotations

import fcntl
import threading
import time
from pathlib import Path

import pytest

from experiments import journal
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


def written(folder: Path) -> bytes:
    """Return a journal of three lines."""
    with Journal(folder) as opened:
        opened.write("start", identity="0", name="first")
        opened.write("metrics", metrics={"loss": 0.5}, step=1)
        opened.write("end", status="FINISHED")
    return (folder / journal.NAME).read_bytes()


def test_a_line_half_written_is_left_for_later(tmp_path: Path) -> None:
    content, path = written(tmp_path), tmp_path / journal.NAME
    last = content.splitlines(keepends=True)[-1]
    for length in range(1, len(last)):
        path.write_bytes(content[:-length])
        events, offset = journal.read(tmp_path)
        assert [event["event"] for event in events] == ["start", "metrics"]
        path.write_bytes(content)
        assert [event["event"] for event in journal.read(tmp_path, offset)[0]] == ["end"]


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
    content = written(tmp_path)
    (tmp_path / journal.NAME).write_bytes(content[:-10])
    with Journal(tmp_path) as opened:
        opened.write("continue")
    events = [event["event"] for event in journal.read(tmp_path)[0]]
    assert events == ["start", "metrics", "continue"]


def test_a_look_at_the_lock_is_waited_for(tmp_path: Path) -> None:
    Journal(tmp_path).__exit__(None, None, None)
    with (tmp_path / journal.NAME).open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        timer = threading.Timer(0.1, fcntl.flock, (file, fcntl.LOCK_UN))
        timer.start()
        with Journal(tmp_path):
            timer.join()


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
