"""`experiments predict` tells classes, and refuses mistakes in one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from experiments import journal
from tests.cli.conftest import Lab

pytestmark = pytest.mark.xdist_group("lab")


@pytest.fixture
def table(digits, tmp_path: Path) -> Path:
    """The test set as a table with labels."""
    test = digits.test
    pixels = test.images.reshape(len(test), -1).numpy()
    rows = np.column_stack([test.labels.numpy(), pixels])
    file = tmp_path / "test.csv"
    np.savetxt(file, rows, fmt="%d", delimiter=",")
    return file


def test_the_test_set_gives_the_accuracy_of_the_run(made_lab: Lab, table: Path) -> None:
    run = made_lab.data("ls", "seed=1", "optimizer.lr=0.1")[0]
    told = made_lab.data("predict", run["id"][:8], str(table))
    recorded = journal.history(made_lab.folder / run["folder"]).metrics["test_accuracy"]
    assert told["accuracy"] == pytest.approx(recorded)
    assert told["runs"] == [run["id"]]
    first = told["predictions"][0]
    assert first["label"] == max(range(10), key=lambda label: first["probabilities"][label])
    assert sum(first["probabilities"]) == pytest.approx(1)


def test_a_sweep_answers_in_words(made_lab: Lab, digits, tmp_path: Path) -> None:
    sweep = made_lab.data("ls", "--sweeps")[0]
    for place in range(2):
        pixels = digits.test.images[place].numpy()
        Image.fromarray(255 - pixels if place else pixels).save(tmp_path / f"{place}.png")
    done = made_lab("predict", sweep["folder"], str(tmp_path))
    assert done.returncode == 0
    together, inverted = done.stderr.splitlines()
    assert together.startswith("The mean of 2 runs: ")
    assert inverted.startswith("Inverted 1 of 2: ")
    titles, *lines = done.stdout.splitlines()
    assert titles.split() == ["image", "class", "probability", "next"]
    assert [Path(line.split()[0]).name for line in lines] == ["0.png", "1.png"]


def test_mistakes_are_refused_in_one_line(made_lab: Lab, tmp_path: Path) -> None:
    run = made_lab.id_of("seed=1", "optimizer.lr=0.1")
    assert made_lab.error("predict", "nowhere", "a.png").startswith("nowhere: no run in outputs")
    missing = made_lab.error("predict", run[:8], "a.png")
    assert missing == "a.png: there is no such file or folder"
    dead = made_lab.error("predict", made_lab.id_of("dead"), "a.png")
    assert "is dead, and only a finished run has a model; the same command resumes it" in dead
    background = made_lab.error("predict", run[:8], "a.png", "--background=grey")
    assert "'auto', 'dark', 'light'" in background
