"""The worker, with requests as a launcher sends them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from experiments.data.splits import Splits
from experiments.worker.client import Worker, WorkerDiedError
from tests.run.test_lifecycle import configuration


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker()
    yield worker
    if worker.is_alive:
        worker.dismiss()


def test_it_answers_request_after_request(worker: Worker, root: str, digits: Splits) -> None:
    config = configuration(root, "trainer.device=cpu")
    wrong = configuration(root, "trainer.device=cpu", "data._target_=nowhere.Data")
    for _ in range(2):
        (answer,) = worker.ask({"facts": [config, wrong]})
        known, unknown = answer["facts"]
        assert known == {"data_sha256": digits.sha256, "device": "cpu"}
        assert "nowhere" in unknown["error"]


def test_its_death_is_said(worker: Worker, root: str) -> None:
    os.kill(worker._process.pid, signal.SIGKILL)
    with pytest.raises(WorkerDiedError, match="was killed by SIGKILL"):
        list(worker.ask({"facts": [configuration(root)]}))
    assert not worker.is_alive


def test_dismissed_it_ends(worker: Worker) -> None:
    worker.dismiss()
    assert worker._process.returncode == 0
