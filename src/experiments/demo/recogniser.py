"""The answers to a drawing: probabilities, the image that the models see, and its attribution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from experiments.data.batches import normalise
from experiments.errors import InputError
from experiments.inference.ensemble import probabilities
from experiments.inference.pictures import Picture
from experiments.inference.preparation import Pixels
from experiments.inference.prepared import preparation, prepare
from experiments.inference.trained import Trained
from experiments.target_classes import explained

SIDE = 112
"""the height and width of a drawing, in pixels"""
_CHANNELS = (1, 3)


@dataclass(frozen=True)
class Answer:
    """The answer to a drawing."""

    label: int
    """the most probable class"""
    probabilities: Sequence[float]
    """of each class"""
    image: Pixels
    """the image that the models see, uint8 (C, H, W)"""
    attribution: NDArray[np.float32]
    """the part of each pixel (H, W) in the logit of the most probable class, from -1 to 1; 1 is
    the largest magnitude of the image"""


class Recogniser:
    """Models that answer together to drawings, by the mean of their probabilities."""

    def __init__(self, members: Sequence[Trained]) -> None:
        """Answer an empty drawing, so that a model that fails is noticed before it is used.

        Args:
            members: classifiers of the same data.

        Raises:
            InputError: a member is no classifier, its code fails, or its images have other
                channels than grey values or colours.
        """
        first = members[0]
        for member in members:
            member.check_classifies()
        if first.shape[0] not in _CHANNELS:
            raise InputError(
                f"{first.short}: its images have {first.shape[0]} channels, and a drawing has grey "
                "values; name a run on grey or coloured images"
            )
        self.members = members
        self._way = preparation(first, "dark")
        blank = np.zeros((SIDE, SIDE), np.uint8)
        self._paper = normalise(self._image(blank))
        self.names = first.names(len(self(blank).probabilities))

    @property
    def box(self) -> int | None:
        """The longer side of the figure that is cut out of a drawing; None where none is."""
        return self._way.box

    def __call__(self, drawing: Pixels) -> Answer:
        """Return the answer to a drawing.

        Args:
            drawing: uint8 (SIDE, SIDE), 0 for paper and 255 for ink.

        Raises:
            InputError: a model's own code fails.
        """
        image = self._image(drawing)
        found = probabilities(self.members, image)[0]
        label = int(found.argmax())
        return Answer(label, found.tolist(), image[0].numpy(), self._attribution(image, label))

    def _image(self, drawing: Pixels) -> Tensor:
        return prepare([Picture("the drawing", drawing)], self._way).images

    def _attribution(self, image: Tensor, label: int) -> NDArray[np.float32]:
        """Return gradient x input, with the input counted from an empty drawing.

        The product is that of Shrikumar et al., "Not just a black box: learning important features
        through propagating activation differences" (2016). Counted from 0, which is a middle grey,
        empty paper would get a part, too.
        """
        inputs = normalise(image).requires_grad_()
        with explained("model: to explain images", "bring back the code of the run"):
            logits = [member.model(inputs)[0, label] for member in self.members]
            (slope,) = torch.autograd.grad(
                torch.stack(logits).mean(), inputs, allow_unused=True, materialize_grads=True
            )
        parts = (slope * (inputs.detach() - self._paper))[0].sum(0)
        largest = parts.abs().max()
        scaled: NDArray[np.float32] = (parts / largest if largest > 0 else parts).numpy()
        return scaled
