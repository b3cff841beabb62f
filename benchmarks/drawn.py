"""Drawn digits: accuracy of the default run with and without the centring of MNIST's authors."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image

from benchmarks.report import as_command, report
from benchmarks.strokes import Drawing, drawings
from experiments import train
from experiments.inference.pictures import Picture
from experiments.inference.preparation import Preparation
from experiments.inference.prepared import preparation, prepare
from experiments.inference.trained import Trained, load_trained

NUMBER = 200
SEEDS = range(5)
"""of the drawings"""
RUNS = range(3)
"""the seeds of the runs"""


def accuracy(trained: Trained, drawn: Sequence[Drawing], *, centre: bool) -> float:
    """Return the share of drawn digits that a run's model recognises."""
    pictures = [Picture(str(each.digit), each.pixels) for each in drawn]
    images = prepare(pictures, preparation(trained, centre=centre)).images
    digits = torch.tensor([each.digit for each in drawn])
    return (trained.logits(images).argmax(1) == digits).float().mean().item()


def sheet(number: int = 20) -> Image.Image:
    """Return some drawn digits above the images that are made of them for MNIST."""
    way = Preparation((1, 28, 28), is_light_on_dark=True, box=20)
    size, gap = 84, 4
    made = Image.new("L", (number * (size + gap), 2 * (size + gap)), 128)
    for place, drawing in enumerate(drawings(number)):
        image, _ = way(drawing.pixels)
        for row, pixels in enumerate((drawing.pixels, image[0])):
            scaled = Image.fromarray(pixels).resize((size, size), Image.Resampling.BOX)
            made.paste(scaled, (place * (size + gap), row * (size + gap)))
    return made


def main() -> None:
    """Measure and report."""
    drawn = {seed: list(drawings(NUMBER, seed)) for seed in SEEDS}
    before, rows = Path.cwd(), []
    with tempfile.TemporaryDirectory() as folder:
        conf = Path(__file__).parent.parent / "conf"
        os.chdir(folder)
        try:
            for run_seed in RUNS:
                run = train(["tracking=none", f"seed={run_seed}"], config_dir=conf)
                assert run.folder is not None
                trained = load_trained(run.folder)
                for seed, pictures in drawn.items():
                    plain, centred = (
                        f"{accuracy(trained, pictures, centre=centre):.1%}"
                        for centre in (False, True)
                    )
                    rows.append((f"run {run_seed}, drawings {seed}", plain, centred))
        finally:
            os.chdir(before)
    header = (f"{NUMBER} drawn digits", "scaled as they are", "cut out, in a box, centred")
    report("drawn", "Drawn digits, recognised by the default run on MNIST", header, rows)


if __name__ == "__main__":
    as_command(main, __doc__)
