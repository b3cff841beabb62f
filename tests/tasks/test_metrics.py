"""Metrics: batches of any size give the value of all examples at once."""

from __future__ import annotations

import math

import pytest
import torch

from experiments.tasks import Accuracy, OfAllExamples


def median_error(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return (outputs.argmax(1) - targets).abs().float().median()


@pytest.mark.parametrize("sizes", [(100,), (1, 99), (7, 13, 80)])
def test_the_size_of_batches_makes_no_difference(sizes) -> None:
    torch.manual_seed(0)
    outputs, targets = torch.randn(100, 10), torch.randint(10, (100,))
    accuracy, median = Accuracy(), OfAllExamples(median_error)
    for _ in range(2):  # a reset forgets
        for metric in (accuracy, median):
            metric.reset()
            for part in zip(outputs.split(sizes), targets.split(sizes), strict=True):
                metric.update(*part)
        assert accuracy.compute() == int((outputs.argmax(1) == targets).sum()) / 100
        assert median.compute() == median_error(outputs, targets)


def test_the_accuracy_of_nothing_is_no_number() -> None:
    assert math.isnan(Accuracy().compute())
