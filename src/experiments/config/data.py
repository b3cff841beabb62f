"""conf/data: the data sets that ship with the project, their splits and batches."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field, model_validator

from experiments.config.part import Choice, Part
from experiments.config.types import Count


class DataPart(Part):
    """A data set, its validation split and its batches."""

    OWN_KEYS = frozenset({"batch_size", "validation_size"})
    TRAINING_SIZE: ClassVar[int | None] = None  # examples in the training set; None if unknown
    IMAGE: ClassVar[tuple[int, int, int] | None] = None  # channels, height, width
    CLASSES: ClassVar[int | None] = None

    root: str = Field(min_length=1, examples=["~/.pytorch/MNIST_data/"])
    """the folder that holds the files"""
    batch_size: Count = Field(examples=[64])
    """the number of examples in a training batch"""
    validation_size: int = Field(ge=0, examples=[5000])
    """the number of examples taken out of the training set for validation"""

    @model_validator(mode="after")
    def _fits(self) -> DataPart:
        if self.TRAINING_SIZE is not None:
            self.check_fits(self.TRAINING_SIZE)
        return self

    def check_fits(self, training_size: int) -> None:
        """Check the sizes against the number of training examples.

        Raises:
            ValueError: fewer examples than a batch are left after the validation split.
        """
        left = training_size - self.validation_size
        if left < 1:
            raise ValueError(
                f"data.validation_size={self.validation_size}: the training set has "
                f"{training_size} examples; choose at most {training_size - 1}"
            )
        if self.batch_size > left:
            raise ValueError(
                f"data.batch_size={self.batch_size}: there are {left} examples to train on; "
                f"choose 1 to {left}"
            )


class _Images28(DataPart):
    IMAGE = (1, 28, 28)
    CLASSES = 10


class MNIST(_Images28):
    """Handwritten digits, 10 classes."""

    CLASS = "experiments.data.MNIST"
    TRAINING_SIZE = 60_000


class FashionMNIST(_Images28):
    """Pictures of clothes, 10 classes."""

    CLASS = "experiments.data.FashionMNIST"
    TRAINING_SIZE = 60_000


class KMNIST(_Images28):
    """Cursive Japanese characters, 10 classes."""

    CLASS = "experiments.data.KMNIST"
    TRAINING_SIZE = 60_000


class Digits(_Images28):
    """The handwritten digits of scikit-learn, 10 classes."""

    CLASS = "experiments.data.Digits"
    TRAINING_SIZE = 1_500


class OwnData(DataPart):
    """A data set class of the user's."""

    model_config = ConfigDict(extra="allow")


Data = Annotated[DataPart, Choice(MNIST, FashionMNIST, KMNIST, Digits, own=OwnData)]
