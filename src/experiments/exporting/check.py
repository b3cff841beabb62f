"""The check of an export: it gives the answers of its run to all images of the test."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from experiments.errors import RunError
from experiments.exporting.source import Answer, Source

BATCHES = (1, 7, 1000)
"""the sizes of the batches in which an export gets all images"""
TOLERANCE = 1e-5
"""the largest difference of an output, in units of the largest output of its image, at least 1"""


@dataclass(frozen=True)
class Agreement:
    """How well an export agrees with its run."""

    images: int
    largest: float
    """the largest difference of an output"""
    relative: float
    """the largest difference in the units of `TOLERANCE`"""


def check(answer: Answer, source: Source) -> Agreement:
    """Compare an export with its run, on all images of the test and in batches of each size.

    Raises:
        RunError: an output differs by more than `TOLERANCE`.
    """
    found = [_compared(answer, source, size) for size in BATCHES]
    return Agreement(
        len(source.images), max(each.largest for each in found), max(e.relative for e in found)
    )


def _compared(answer: Answer, source: Source, size: int) -> Agreement:
    outputs = torch.cat([answer(batch) for batch in torch.split(source.images, size)])
    expected = source.expected
    if outputs.shape != expected.shape:
        raise RunError(
            f"the export gives outputs {tuple(outputs.shape)} and the run {tuple(expected.shape)}, "
            f"in batches of {size}; nothing is exported"
        )
    off = (outputs - expected).abs().reshape(len(expected), -1).amax(1)
    unit = expected.abs().reshape(len(expected), -1).amax(1).clamp(min=1)
    _check_within(off, unit, size)
    return Agreement(len(expected), float(off.max()), float((off / unit).max()))


def _check_within(off: Tensor, unit: Tensor, size: int) -> None:
    wrong = ~(off / unit <= TOLERANCE)  # NaN is wrong too
    if not wrong.any():
        return
    relative = (off / unit).nan_to_num(nan=torch.inf)
    worst = int(relative.argmax())
    raise RunError(
        f"the export differs from the run for {int(wrong.sum()):,} of {len(off):,} test images in "
        f"batches of {size}, most for image {worst}, by {float(off[worst]):.3g} where "
        f"{TOLERANCE * float(unit[worst]):.1g} is allowed; nothing is exported (does the model "
        "draw random numbers, or depend on the other images of a batch?)"
    )
