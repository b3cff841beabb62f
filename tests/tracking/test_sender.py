"""The sender never delays training."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

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
