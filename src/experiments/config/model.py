"""conf/model: the arguments of the models that ship with the project."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from experiments.config.part import Choice, Own, Part
from experiments.config.types import Count

SIZES = frozenset(
    {"inputs", "in_channels", "in_chans", "image_size", "classes", "num_classes", "outputs"}
)
"""the arguments of models that are taken from the data if they are null"""


class SimpleNet(Part):
    """The network of the article (see `experiments.models`)."""

    CLASS = "experiments.models.SimpleNet"

    inputs: Count | None = Field(default=None, examples=[784])
    """the number of values of an image; null takes it from the data"""
    hidden: list[Count] = Field(default=[128], min_length=1, examples=["[128]", "[256,64]"])
    """the widths of the hidden layers, a list"""
    classes: Count | None = Field(default=None, examples=[10])
    """the number of classes; null takes it from the data"""


class ConvNet(Part):
    """Two convolutions and a linear classifier."""

    CLASS = "experiments.models.ConvNet"

    in_channels: Count | None = Field(default=None, examples=[1])
    """the number of channels of an image; null takes it from the data"""
    image_size: Annotated[int, Field(ge=4)] | None = Field(default=None, examples=[28])
    """the height and width of an image in pixels; null takes it from the data"""
    channels: list[Count] = Field(
        default=[16, 32], min_length=2, max_length=2, examples=["[16,32]"]
    )
    """the widths of the two convolutions, a list"""
    classes: Count | None = Field(default=None, examples=[10])
    """the number of classes; null takes it from the data"""


Model = Annotated[Part, Choice(SimpleNet, ConvNet, own=Own)]
