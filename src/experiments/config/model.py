"""conf/model: the arguments of the models that ship with the project."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from experiments.config.part import Choice, Own, Part
from experiments.config.types import Count


class SimpleNet(Part):
    """The network of the article (see `experiments.models`)."""

    CLASS = "experiments.models.SimpleNet"

    inputs: Count = Field(examples=[784])
    """the number of pixels of an image"""
    hidden: list[Count] = Field(min_length=1, examples=["[128]", "[256,64]"])
    """the widths of the hidden layers, a list"""
    classes: Count = Field(examples=[10])
    """the number of classes"""


class ConvNet(Part):
    """Two convolutions and a linear classifier."""

    CLASS = "experiments.models.ConvNet"

    image_size: int = Field(ge=4, examples=[28])
    """the height and width of an image in pixels"""
    channels: list[Count] = Field(min_length=2, max_length=2, examples=["[16,32]"])
    """the widths of the two convolutions, a list"""
    classes: Count = Field(examples=[10])
    """the number of classes"""


Model = Annotated[Part, Choice(SimpleNet, ConvNet, own=Own)]
