"""The bar of a run: on a terminal it shows the run's progress and leaves the lines whole."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Callable

import pytest

from experiments.process.logs import StdoutHandler
from experiments.run import progress
from experiments.run.progress import progress_bar
from experiments.training.position import Position
from tests.terminal import Terminal, shown_lines

EPOCHS, BATCHES = 100, 4
METRICS = {"train_loss": 0.25, "lr": 0.1, "val_loss": 0.3, "val_accuracy": 0.75}


def train(metrics: dict[str, float], *, first_epoch: int = 1) -> None:
    """Go through a run as the training does, with a line and the metrics after each epoch."""
    log = logging.Logger("a run's")
    log.addHandler(StdoutHandler())
    position, known = Position(epoch=first_epoch, steps=(first_epoch - 1) * BATCHES), {}
    with progress_bar(position, lambda: known, epochs=EPOCHS, batches=BATCHES) as advance:
        while position.epoch <= EPOCHS:
            for _ in range(BATCHES):
                position.steps += 1
                advance()
            advance()  # a batch of the validation
            known.update(metrics)
            log.info("Epoch: %d Loss: 0.25", position.epoch)
            position.epoch += 1


def test_without_a_terminal_nothing_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    train(METRICS)
    assert stream.getvalue().splitlines() == [f"Epoch: {n} Loss: 0.25" for n in range(1, 101)]


def test_the_handler_follows_stdout(monkeypatch: pytest.MonkeyPatch) -> None:
    handler = StdoutHandler()
    for _ in range(2):
        stream = io.StringIO()
        monkeypatch.setattr(sys, "stdout", stream)
        handler.emit(logging.LogRecord("x", logging.INFO, "", 0, "said", None, None))
        assert stream.getvalue() == "said\n"


@pytest.mark.parametrize(
    ("columns", "metrics", "last"),
    [
        (80, METRICS, "epoch 100/100 loss 0.250 accuracy 0.7500 ━"),
        (80, {"train_loss": 0.25}, "epoch 100/100 loss 0.250 ━"),
        (40, METRICS, "epoch 100/100 ━"),
    ],
)
def test_on_a_terminal_it_shows_the_epoch_and_the_last_metrics(
    terminal: Callable[[], Terminal],
    monkeypatch: pytest.MonkeyPatch,
    columns: int,
    metrics: dict[str, float],
    last: str,
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr(progress, "_REDRAW_SECONDS", 0)
    screen = terminal()
    train(metrics)
    shown = shown_lines(screen.getvalue())
    bars = [line for line in shown if line.startswith("epoch ")]
    assert bars[0].startswith("epoch 1/100 ━")
    assert bars[-1].startswith(last)
    assert bars[-1].endswith("00:00")
    assert max(map(len, bars)) <= columns
    assert not any("…" in line for line in bars)
    assert [line for line in shown if line.startswith("Epoch")] == [
        f"Epoch: {n} Loss: 0.25" for n in range(1, 101)
    ]


def test_a_resumed_run_begins_in_its_epoch(terminal: Callable[[], Terminal]) -> None:
    screen = terminal()
    train(METRICS, first_epoch=50)
    (first, *_) = (line for line in shown_lines(screen.getvalue()) if line.startswith("epoch "))
    assert first.startswith("epoch 50/100 ━")


def test_it_is_redrawn_no_more_often_than_ten_times_a_second(
    terminal: Callable[[], Terminal], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.monotonic", lambda: 1000.0)
    terminal()
    asked = []
    with progress_bar(
        Position(), lambda: asked.append(1) or {}, epochs=EPOCHS, batches=BATCHES
    ) as advance:
        for _ in range(1000):
            advance()
    assert len(asked) == 2  # at the beginning, and at the first batch
