"""Messages between a process and a process that it starts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from experiments.process.messages import Child, start

ECHO = """
from experiments.process.messages import parent

requests, answers = parent()
print("said aloud", flush=True)
try:
    while True:
        answers.send({"got": requests.recv()})
except EOFError:
    print("the end", flush=True)
"""


@pytest.fixture
def echo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "echo.py").write_text(ECHO)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path / "errors.txt"


def end(child: Child) -> None:
    child.requests.close()
    assert child.process.wait() == 0
    child.answers.close()


def test_every_message_arrives_whole_whatever_its_size(echo: Path) -> None:
    with echo.open("wb") as errors:
        child = start("echo", errors=errors)
        for message in ({"path": ["a", "b"]}, b"\0" * 1_000_000, float("inf"), None):
            child.requests.send(message)
            assert child.answers.recv() == {"got": message}
        end(child)
    # Printed text is not a message.
    assert echo.read_text().splitlines() == ["said aloud", "the end"]


def test_a_process_that_dies_ends_its_answers(echo: Path) -> None:
    with echo.open("wb") as errors:
        child = start("echo", errors=errors)
        child.process.kill()
        with pytest.raises(EOFError):
            child.answers.recv()
        child.process.wait()
        child.requests.close()
        child.answers.close()


def test_a_signal_of_the_terminal_does_not_reach_it(echo: Path) -> None:
    with echo.open("wb") as errors:
        child = start("echo", errors=errors)
        assert os.getpgid(child.process.pid) != os.getpgid(0)
        end(child)
