"""The numbers of an explanation agree with scikit-learn and torchmetrics."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch
from sklearn.metrics import precision_recall_fscore_support
from torchmetrics.functional.classification import multiclass_calibration_error

from experiments.explaining.quality import BINS, by_class, calibration
from experiments.inference.data import examples_of
from experiments.inference.trained import Trained
from experiments.report.mistakes import answers_from

pytestmark = pytest.mark.xdist_group("inference")


def test_classes_have_the_figures_of_scikit_learn(members: Sequence[Trained]) -> None:
    images, labels = examples_of(members[0])
    found = members[0].probabilities(images)
    own = by_class(answers_from(images, labels, found).counts)
    theirs = precision_recall_fscore_support(labels, found.argmax(1))
    for name, values in zip(("precision", "recall", "f1", "support"), theirs, strict=True):
        assert [getattr(each, name) for each in own] == pytest.approx(values.tolist())


def test_a_share_of_nothing_is_not_a_number() -> None:
    never_there, always_right, never_answered = by_class([[0, 0, 0], [0, 5, 0], [0, 2, 0]])
    assert math.isnan(never_there.precision)
    assert math.isnan(never_there.recall)
    assert math.isnan(never_there.f1)
    assert (always_right.recall, always_right.support) == (1, 5)
    assert math.isnan(never_answered.precision)
    assert never_answered.recall == never_answered.f1 == 0


@pytest.mark.parametrize("sharpness", [0.3, 1, 8])
def test_the_calibration_error_is_that_of_torchmetrics(sharpness: float) -> None:
    made = torch.Generator().manual_seed(0)
    shares = (torch.randn(5000, 10, generator=made) * sharpness).softmax(1)
    labels = torch.multinomial(shares, 1, generator=made).squeeze(1)
    check_calibration(shares, labels)


def test_the_calibration_error_of_a_run_is_that_of_torchmetrics(
    members: Sequence[Trained],
) -> None:
    images, labels = examples_of(members[0])
    check_calibration(members[0].probabilities(images), labels)


def check_calibration(shares: torch.Tensor, labels: torch.Tensor) -> None:
    confidences, answers = shares.max(1)
    found = calibration(confidences, answers == labels)
    for norm, own in (("l1", found.ece), ("max", found.worst.gap)):
        theirs = multiclass_calibration_error(shares, labels, shares.shape[1], BINS, norm)  # type: ignore[arg-type]
        assert own == pytest.approx(theirs.item(), abs=1e-5)
    assert sum(each.count for each in found.bins) == len(labels)
    for each in found.bins:
        if each.count:
            assert each.low - 1e-6 <= each.confidence <= each.high + 1e-6


def test_certainty_and_no_confidence_at_all_are_counted() -> None:
    found = calibration(torch.tensor([1.0, 0.0, 1.0]), torch.tensor([True, False, True]))
    assert (found.bins[0].count, found.bins[-1].count) == (1, 2)
    assert found.ece == 0
