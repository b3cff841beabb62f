"""Warnings about results: chance level and explosion are told, and good runs are left alone."""

from __future__ import annotations

import math

import pytest
import torch

from experiments.run.result_warning import is_finite, tags_of_divergence, warning_about
from experiments.training.evaluation import Evaluation
from tests.made_tasks import classification

LABELS = torch.arange(10).repeat(100)


def warning(loss: float, accuracy: float, labels: torch.Tensor = LABELS) -> str | None:
    test = Evaluation(loss, {"accuracy": accuracy}, len(labels))
    return warning_about(test, classification(), labels)


@pytest.mark.parametrize(
    ("correct", "loss", "begins"),
    [
        (980, 0.1, None),
        (100, 2.3, "at chance level: test accuracy 10.00 %"),
        (0, 2.3, "at chance level"),
        (120, 2.3, "at chance level"),
        (130, 2.2, None),
        (100, 1e6, "exploded: the test loss is 1e+06"),
        (900, 5.0, "exploded"),
        (900, 4.5, None),
    ],
)
def test_a_useless_result_is_named(correct: int, loss: float, begins: str | None) -> None:
    found = warning(loss, correct / 1000)
    assert found is None if begins is None else str(found).startswith(begins)


def test_chance_alone_is_told_in_about_99_of_100_cases() -> None:
    torch.manual_seed(0)
    guesses = torch.randint(10, (2000, len(LABELS)))
    correct = (guesses == LABELS).sum(1).tolist()
    told = [warning(2.3, count / 1000) for count in correct]
    assert 0.98 < sum(each is not None for each in told) / len(told) < 1


def test_a_data_set_of_one_class_has_no_chance_level() -> None:
    assert warning(0.0, 1.0, torch.zeros(50, dtype=torch.long)) is None


def test_a_number_that_is_not_finite_is_noticed_anywhere() -> None:
    weights = [torch.ones(3), torch.ones(2, 2)]
    assert is_finite(1.0, weights)
    assert not is_finite(math.nan, weights)
    assert not is_finite(1.0, [*weights, torch.tensor([1.0, math.inf])])
    assert tags_of_divergence(3)["warning"].startswith("diverged: ")
