"""The panel before the training tells the facts of the run, in any width, on a terminal only."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.config import RunConfig
from experiments.run.build import assemble
from experiments.run.start_panel import facts, print_start_panel
from tests.run.test_lifecycle import configuration
from tests.terminal import Terminal, colours_in, shown_lines

FOLDER = Path("outputs/2026-11-23/15-36-12_a732a0")
OVERRIDES = ("optimizer=adamw", "optimizer.lr=0.05", "seed=3", "outputs=elsewhere")


def told(config: RunConfig, resumes: str | None = None) -> dict[str, str]:
    return facts(config, assemble(config), OVERRIDES, FOLDER, resumes=resumes)


def test_it_tells_the_parts_of_the_run(root: str) -> None:
    overrides = ("optimizer=adamw", "optimizer.lr=0.05", "data.validation_size=100")
    shown = told(configuration(root, *overrides, "trainer.device=cpu", "trainer.threads=1"))
    assert shown == {
        "model": "SimpleNet, 101,770 parameters",
        "optimizer": "AdamW, learning rate 0.05",
        "device": "cpu, 1 thread",
        "data": "Digits: 1,400 training, 100 validation, 297 test images",
        "epochs": "3 of 22 batches, batch size 64",
        "overrides": "adamw lr=0.05 s3",
        "folder": str(FOLDER),
    }


def test_the_learning_rate_is_the_one_of_the_optimizer(root: str) -> None:
    """A schedule may change the rate of its parameter groups when it is built."""
    shown = told(configuration(root, "schedule=onecycle", "optimizer.lr=0.02"))
    assert shown["optimizer"] == "SGD, learning rate 0.02"
    assert shown["schedule"] == "OneCycleLR, a step per batch"


def test_a_resumed_run_tells_its_place(root: str) -> None:
    shown = told(configuration(root), "epoch 2, batch 7")
    assert shown["resumes"] == "at epoch 2, batch 7"


@pytest.mark.parametrize("columns", [80, 40])
@pytest.mark.parametrize("no_color", ["", "1"])
def test_it_fits_the_terminal_and_cuts_no_word(
    terminal: Callable[[], Terminal],
    monkeypatch: pytest.MonkeyPatch,
    root: str,
    columns: int,
    no_color: str,
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", no_color)
    config = configuration(root)
    screen = terminal()
    print_start_panel(config, assemble(config), OVERRIDES, FOLDER, resumes="epoch 2")
    lines = shown_lines(screen.getvalue())
    assert {len(line) for line in lines} <= set(range(columns + 1))
    words = {word for line in lines for word in line.split()}
    expected = " ".join([*told(config, "epoch 2").values()]).replace(str(FOLDER), "")
    assert words >= set(expected.split())
    assert not colours_in(screen.getvalue())


def test_without_a_terminal_there_is_none(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config = configuration(root)
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    print_start_panel(config, assemble(config), OVERRIDES, FOLDER, resumes=None)
    assert stream.getvalue() == ""
