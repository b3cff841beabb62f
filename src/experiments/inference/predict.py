"""Predictions: what models say about pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from experiments.errors import InputError
from experiments.inference.ensemble import probabilities
from experiments.inference.pictures import Picture
from experiments.inference.preparation import Background
from experiments.inference.prepared import preparation, prepare
from experiments.inference.trained import Trained


@dataclass(frozen=True)
class Prediction:
    """The answer to a picture."""

    picture: str
    label: int
    """the most probable class"""
    name: str
    """that of the class"""
    probabilities: Sequence[float]
    """of each class"""
    inverted: bool
    """whether the picture was inverted, because the data has the other background"""
    is_blank: bool
    """whether the picture has no figure, so that the answer means nothing"""
    truth: int | None
    """its class, if it is known"""


@dataclass(frozen=True)
class Predictions:
    """The answers to pictures."""

    all: Sequence[Prediction]
    names: Sequence[str]
    """of the classes"""

    @property
    def accuracy(self) -> float | None:
        """The share of right answers among the pictures whose class is known."""
        known = [each for each in self.all if each.truth is not None]
        right = sum(each.label == each.truth for each in known)
        return right / len(known) if known else None


def predict(
    members: Sequence[Trained],
    pictures: Sequence[Picture],
    background: Background = "auto",
    *,
    centre: bool = True,
) -> Predictions:
    """Return the classes of pictures, by the mean of the probabilities of models, in one pass.

    Args:
        members: classifiers of the same data.
        pictures: at least one.
        background: that of the pictures.
        centre: whether figures are cut out and centred, as `prepared.preparation` tells.

    Raises:
        InputError: a member is no classifier, or a picture cannot be made like the data's images.
    """
    first = members[0]
    first.check_classifies()
    ready = prepare(pictures, preparation(first, background, centre=centre))
    found = probabilities(members, ready.images)
    labels, rows = found.argmax(1).tolist(), found.tolist()
    flat = ready.images.flatten(1)
    blanks = (flat.amax(1) == flat.amin(1)).tolist()
    names = first.names(found.shape[1])
    for picture in pictures:
        if picture.label is not None and picture.label >= len(names):
            raise InputError(
                f"{picture.name}: has the label {picture.label}, and the run knows {len(names)} "
                f"classes; give 0 to {len(names) - 1}"
            )
    return Predictions(
        [
            Prediction(picture.name, label, names[label], row, inverted, blank, picture.label)
            for picture, label, row, inverted, blank in zip(
                pictures, labels, rows, ready.inverted, blanks, strict=True
            )
        ],
        names,
    )
