"""The explanation of a run: its answers to the test images, and the attributions of some."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from experiments.errors import InputError
from experiments.explaining.attributions import Attributions, attributions_of
from experiments.explaining.first_layer import FirstLayer, first_layer
from experiments.explaining.quality import Calibration, ClassQuality, by_class, calibration
from experiments.inference.data import examples_of
from experiments.inference.pictures import Picture
from experiments.inference.prepared import preparation, prepare
from experiments.inference.trained import Trained
from experiments.report.mistakes import Answers, answers_from
from experiments.robustness.recorded import differs, recorded_accuracy

_MISTAKES = 6  # with attributions
_MOST = 100  # images on a page, with attributions


@dataclass(frozen=True)
class Attributed:
    """An image, the answer to it, and the attributions of the answer."""

    origin: str
    """the name of a picture, or the place in the test set"""
    image: Tensor
    """uint8 (H, W) or (C, H, W)"""
    truth: int | None
    """its class; None if it is unknown"""
    answer: int
    confidence: float
    """the probability of the answer, 0 to 1"""
    attributions: Attributions
    is_picture: bool
    """whether it is a picture of the user's, in place of a test image"""
    is_inverted: bool = False
    """whether a picture was inverted, because the data has the other background"""

    @property
    def is_mistake(self) -> bool:
        """Whether the answer is known to be wrong."""
        return self.truth not in {None, self.answer}


@dataclass(frozen=True)
class Explanation:
    """The parts of a run's explanation."""

    trained: Trained
    names: Sequence[str]
    """of the classes"""
    answers: Answers
    classes: Sequence[ClassQuality]
    calibration: Calibration
    attributed: Sequence[Attributed]
    layer: FirstLayer | None
    """None if the first layer has no weights for single pixels"""
    recorded: float | None
    """the test accuracy at the end of the run"""

    @property
    def differs(self) -> str:
        """A warning if the model does not answer as it did at the end of the run."""
        now = self.answers.correct / self.answers.total
        return differs("The model", now, self.recorded)


def explain(trained: Trained, pictures: Sequence[Picture]) -> Explanation:
    """Return the explanation of a run.

    Args:
        trained: a classifier.
        pictures: whose answers are attributed; without any, a right test image for each class, up
            to a limit, and the most confident mistakes.

    Raises:
        InputError: the run is no classifier, its data is not here, a picture cannot be used, there
            are too many, or Captum is not installed.
    """
    trained.check_classifies()
    if len(pictures) > _MOST:
        raise InputError(
            f"experiments explain: {len(pictures):,} pictures are too many for a page; name at "
            f"most {_MOST}"
        )
    images, labels = examples_of(trained)
    probabilities = trained.probabilities(images)
    answers = answers_from(images, labels, probabilities)
    confidences, chosen = probabilities.max(1)
    if pictures:
        attributed = _of_pictures(trained, pictures)
    else:
        places = _examples(labels, chosen, answers)
        origins = [f"no. {place}" for place in places]
        truths: list[int | None] = [*labels[places].tolist()]
        attributed = _attributed(trained, images[places], origins, truths, is_picture=False)
    return Explanation(
        trained=trained,
        names=trained.names(max(probabilities.shape[1], len(answers.counts))),
        answers=answers,
        classes=by_class(answers.counts),
        calibration=calibration(confidences, chosen == labels),
        attributed=attributed,
        layer=first_layer(trained, images[:1]),
        recorded=recorded_accuracy(trained.folder),
    )


def _examples(labels: Tensor, chosen: Tensor, answers: Answers) -> list[int]:
    """Return the places of a right answer for each class, the first, and of the worst mistakes.

    They are at most `_MOST`; the last classes are left out.
    """
    right = chosen == labels
    worst = [each.number for each in answers.worst[:_MISTAKES]]
    firsts = [
        int((right & (labels == label)).nonzero()[0])
        for label in torch.unique(labels[right])[: _MOST - len(worst)].tolist()
    ]
    return [*firsts, *worst]


def _of_pictures(trained: Trained, pictures: Sequence[Picture]) -> list[Attributed]:
    ready = prepare(pictures, preparation(trained))
    origins, truths = zip(*((each.name, each.label) for each in pictures), strict=True)
    return _attributed(trained, ready.images, origins, truths, ready.inverted, is_picture=True)


def _attributed(
    trained: Trained,
    images: Tensor,
    origins: Sequence[str],
    truths: Sequence[int | None],
    inverted: Sequence[bool] = (),
    *,
    is_picture: bool,
) -> list[Attributed]:
    confidences, chosen = trained.probabilities(images).max(1)
    return [
        Attributed(*parts)
        for parts in zip(
            origins,
            images,
            truths,
            chosen.tolist(),
            confidences.tolist(),
            attributions_of(trained, images, chosen),
            [is_picture] * len(images),
            inverted or [False] * len(images),
            strict=True,
        )
    ]
