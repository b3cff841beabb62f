"""The sender never delays training."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection, Pipe
from pathlib import Path

import pytest

from experiments.process import signals
from experiments.process.messages import Child
from experiments.process.signals import interruptible
from experiments.tracking.problems import Problem
from experiments.tracking.sender import Sender

DEAD = "http://127.0.0.1:9"  # the discard port: nothing listens


@pytest.fixture
def sender() -> Iterator[Sender]:
    sender = Sender(DEAD)
    yield sender
    sender.close()
    sender._child.process.kill()
    sender._child.process.wait()
    sender._child.answers.close()
    sender._errors.close()


def test_telling_never_waits_even_when_nobody_reads(sender: Sender, tmp_path: Path) -> None:
    began = time.monotonic()
    for _ in range(10_000):
        sender.tell(tmp_path)
    assert time.monotonic() - began < 5


def test_waiting_for_a_dead_process_says_its_last_words(sender: Sender, tmp_path: Path) -> None:
    sender._child.process.kill()
    sender._child.process.wait()
    assert sender.wait(tmp_path) == (
        None,
        Problem("the delivery process ended: without a word", mistake=False),
    )


def test_a_dead_process_is_replaced(sender: Sender, tmp_path: Path) -> None:
    first = sender._child.process
    first.kill()
    first.wait()
    sender.tell(tmp_path)
    assert sender._child.process.pid != first.pid
    assert sender._child.process.poll() is None


def test_waiting_is_bounded(sender: Sender, tmp_path: Path) -> None:
    began = time.monotonic()
    assert sender.wait(tmp_path, patience=0.2) == (
        None,
        Problem("no answer within 0 s", mistake=False),
    )
    assert time.monotonic() - began < 2


def test_asked_to_stop_it_waits_for_a_shorter_time(
    sender: Sender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[Sender.__module__], "_INTERRUPTED_SECONDS", 0.2)
    with interruptible():
        threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM)).start()
        _, problem = sender.wait(tmp_path, patience=60)
    assert problem == Problem("no answer within 0 s", mistake=False)


@pytest.fixture
def unheard(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Sender, Connection, Connection]]:
    """A sender whose delivery process is played by the test: it, its requests, its answers."""
    requests, to_it = Pipe(duplex=False)
    from_it, answers = Pipe(duplex=False)
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    child = Child(process, to_it, from_it)
    monkeypatch.setattr(sys.modules[Sender.__module__], "start", lambda *_, **__: child)
    sender = Sender(DEAD)
    yield sender, requests, answers
    process.communicate()
    sender._errors.close()
    for pipe in (requests, to_it, from_it, answers):
        pipe.close()


def test_no_news_is_lost_when_the_pipe_is_full(
    unheard: tuple[Sender, Connection, Connection], tmp_path: Path
) -> None:
    sender, requests, _ = unheard
    folders = [tmp_path / str(number).zfill(200) for number in range(600)]
    for folder in folders:
        sender.tell(folder)
    assert sender._unsent  # more than a pipe takes
    names: set[str] = set()
    assert requests.recv() == {"uri": DEAD, "path": sys.path}
    while sender._unsent or requests.poll():
        names.add(requests.recv()["news"])
        sender._send_news()
    assert names >= {str(folder) for folder in folders}


def test_a_message_longer_than_a_pipe_s_unit_arrives_whole(
    unheard: tuple[Sender, Connection, Connection],
) -> None:
    sender, requests, answers = unheard
    answers.send({"ready": True})
    assert requests.recv() == {"uri": DEAD, "path": sys.path}
    reader = threading.Thread(target=lambda: names.append(requests.recv()["experiment"]))
    names: list[str] = []
    reader.start()
    sender.find("0" * 64, "e" * 100_000, patience=0)
    reader.join()
    assert names == ["e" * 100_000]


def test_the_last_answer_of_a_process_that_dies_counts(
    unheard: tuple[Sender, Connection, Connection], tmp_path: Path
) -> None:
    sender, _, answers = unheard
    answers.send({"folder": str(tmp_path), "problem": None, "run_id": "r"})
    answers.close()
    assert sender.wait(tmp_path, patience=20) == ("r", None)


def test_the_wait_goes_on_while_other_runs_are_delivered(
    unheard: tuple[Sender, Connection, Connection], tmp_path: Path
) -> None:
    sender, _, answers = unheard
    queue = [f"other{number}" for number in range(10)] + [str(tmp_path)]

    def deliver() -> None:
        for name in queue:
            time.sleep(0.1)
            answers.send({"folder": name, "problem": None, "run_id": name})

    thread = threading.Thread(target=deliver)
    thread.start()
    assert sender.wait(tmp_path, patience=0.6) == (str(tmp_path), None)  # all take 1.1 s
    thread.join()


def test_a_process_that_torchrun_would_kill_does_not_wait_long(
    unheard: tuple[Sender, Connection, Connection], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signals, "_ends_by_itself", False)
    monkeypatch.setitem(Sender.wait.__globals__, "_INTERRUPTED_SECONDS", 0.1)
    signals.end_by_oneself()
    _, problem = unheard[0].wait(tmp_path, patience=60)
    assert problem == Problem("no answer within 0 s", mistake=False)


def test_the_problems_of_other_runs_do_not_prolong_the_wait(
    unheard: tuple[Sender, Connection, Connection], tmp_path: Path
) -> None:
    sender, _, answers = unheard
    ended = threading.Event()

    def fail() -> None:
        problem = {"text": "no store", "mistake": False}
        while not ended.wait(0.05):
            answers.send({"folder": "other", "problem": problem, "run_id": None})

    thread = threading.Thread(target=fail)
    thread.start()
    _, problem = sender.wait(tmp_path, patience=0.3)
    ended.set()
    thread.join()
    assert problem == Problem("no answer within 0 s", mistake=False)
