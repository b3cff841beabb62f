"""The answers of a finished run's model to the test images; the only module that needs torch."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage
    from torch import Tensor

_WORST = 24


@dataclass(frozen=True)
class Mistake:
    """A test image with a wrong answer."""

    number: int
    """its place in the test set"""
    image: str
    """a PNG as a `data:` address"""
    truth: int
    answer: int
    confidence: float
    """the model's probability of its answer, 0 to 1"""


@dataclass(frozen=True)
class Answers:
    """The answers to the test images."""

    counts: tuple[tuple[int, ...], ...]
    """a row for each class, with the number of each answer"""
    worst: tuple[Mistake, ...]
    """wrong answers, the most confident first"""

    @property
    def total(self) -> int:
        """The number of images."""
        return sum(map(sum, self.counts))

    @property
    def correct(self) -> int:
        """The number of right answers."""
        return sum(row[place] for place, row in enumerate(self.counts))


def answers_of(folder: Path) -> Answers:
    """Let a finished run's model answer the test images again.

    Args:
        folder: the run's folder, with `config.yaml` and the weights.

    Raises:
        InputError: the weights are missing or damaged, the data is not here or has changed, or the
            model's code cannot be used any more.
    """
    from experiments.inference.data import examples_of
    from experiments.inference.trained import load_trained

    trained = load_trained(folder)
    images, labels = examples_of(trained)
    return answers_from(images, labels, trained.probabilities(images))


def answers_from(images: Tensor, labels: Tensor, probabilities: Tensor) -> Answers:
    """Return the answers to images.

    Args:
        images: bytes (N, H, W) or (N, C, H, W).
        labels: int64 (N).
        probabilities: of the classes, float (N, K).
    """
    import torch

    shares, answers = probabilities.max(1)
    classes = int(max(labels.max(), answers.max())) + 1
    counts = torch.bincount(labels * classes + answers, minlength=classes**2)
    wrong = (answers != labels).nonzero().flatten()
    worst = wrong[shares[wrong].argsort(descending=True, stable=True)][:_WORST]
    mistakes = [
        Mistake(
            number,
            as_address(as_png(images[number])),
            int(labels[number]),
            int(answers[number]),
            float(shares[number]),
        )
        for number in worst.tolist()
    ]
    table = counts.reshape(classes, classes).tolist()
    return Answers(tuple(tuple(row) for row in table), tuple(mistakes))


def as_png(image: Tensor) -> bytes:
    """Return an image, uint8 (H, W) or (C, H, W), as a PNG.

    Three channels are colours; of other numbers of channels the first is shown.
    """
    from PIL import Image

    if image.dim() == 3:
        image = image.permute(1, 2, 0) if image.shape[0] == 3 else image[0]
    return encoded(Image.fromarray(image.contiguous().numpy()))


def encoded(image: PillowImage) -> bytes:
    """Return the PNG of an image."""
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()


def as_address(png: bytes) -> str:
    """Return a PNG as a `data:` address."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
