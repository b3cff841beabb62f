"""The time of predictions from the command line, beside the import of torch."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.process import PROJECT, seconds
from benchmarks.report import as_command, report, spread
from benchmarks.strokes import drawings
from experiments import train
from experiments.data import MNIST

REPEATS = 7
PICTURES = 1000
TRAINING = ("tracking=none", "trainer.epochs=1")


def main() -> None:
    """Measure and report."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            run = train(list(TRAINING), config_dir=PROJECT / "conf")
            _write_pictures(Path(folder))
            rows = _rows(folder, str(run.folder))
        finally:
            os.chdir(before)
    report("predict", "Predictions from the command line", ("what", "seconds", "aim"), rows)


def _write_pictures(folder: Path) -> None:
    (folder / "pictures").mkdir()
    for place, drawing in enumerate(drawings(PICTURES)):
        Image.fromarray(drawing.pixels).save(folder / "pictures" / f"{place:04}.png")
    test = MNIST(root=str(Path("~/.pytorch/MNIST_data").expanduser()), train=False)
    pixels = test.data.reshape(len(test), -1).numpy()
    table = np.column_stack([test.targets.numpy(), pixels])
    np.savetxt(folder / "test.csv", table, fmt="%d", delimiter=",")


def _rows(folder: str, run: str) -> list[tuple[str, str, str]]:
    predict = (str(Path(sys.executable).with_name("experiments")), "predict", run)
    commands = {
        "import torch": (sys.executable, "-c", "import torch"),
        "one picture": (*predict, "pictures/0000.png"),
        f"{PICTURES:,} pictures in a folder": (*predict, "pictures"),
        "10,000 images in a table": (*predict, "test.csv"),
    }
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(REPEATS):
        for name, command in commands.items():
            taken[name].append(seconds(*command, folder=folder))
    imports, one, *_ = taken.values()
    beyond = [each - base for each, base in zip(one, imports, strict=True)]
    rows = [(name, spread(values), "") for name, values in taken.items()]
    return [*rows, ("one picture beyond import torch, pair by pair", spread(beyond), "< 1 s")]


if __name__ == "__main__":
    as_command(main, __doc__)
