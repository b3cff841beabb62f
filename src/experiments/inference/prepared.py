"""The images that a run's model takes, made from pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from experiments.data.datasets import shipped
from experiments.errors import InputError
from experiments.inference.data import load_data
from experiments.inference.pictures import Picture
from experiments.inference.preparation import Background, Preparation
from experiments.inference.trained import Trained

_BOXES = {"MNIST": 20, "Digits": 28}
_SOME = 1000  # images that tell the background of a data set


@dataclass(frozen=True)
class Prepared:
    """Images as a run's data set has them, and what was done to pictures for them."""

    images: Tensor
    """uint8 (N, C, H, W)"""
    inverted: Sequence[bool]
    """whether a picture was inverted"""


def preparation(
    trained: Trained, background: Background = "auto", *, centre: bool = True
) -> Preparation:
    """Return the way to make pictures like the images of a run's data set.

    Args:
        trained: the run.
        background: that of the pictures.
        centre: whether figures are cut out and centred, where the data's authors did so.

    Raises:
        InputError: a data set of the user's is needed to learn its background, and is not here.
    """
    target = str(trained.settings["data"]["_target_"])
    is_light_on_dark = shipped(target) is not None or _is_light_on_dark(trained)
    box = _BOXES.get(trained.data) if centre and shipped(target) is not None else None
    return Preparation(trained.shape, is_light_on_dark, box, background)


def _is_light_on_dark(trained: Trained) -> bool:
    if trained.shape[0] != 1:
        return True  # the background of colours is not changed
    images = load_data(trained.settings["data"]).test.images[:_SOME]
    return bool(images.float().mean() < 127.5)


def prepare(pictures: Sequence[Picture], way: Preparation) -> Prepared:
    """Make images of pictures.

    Raises:
        InputError: the images of the run have other channels than grey values or colours.
    """
    made = [_prepared(picture, way) for picture in pictures]
    images = torch.from_numpy(np.stack([image for image, _ in made]))
    return Prepared(images, [is_inverted for _, is_inverted in made])


def _prepared(picture: Picture, way: Preparation) -> tuple[np.ndarray, bool]:
    if picture.is_exact:
        return picture.pixels.reshape(way.shape), False
    try:
        return way(picture.pixels)
    except ValueError as error:
        raise InputError(f"{picture.name}: {error}; give a .csv table of pixels") from error
