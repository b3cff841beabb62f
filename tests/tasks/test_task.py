"""Tasks: the targets of a batch, and the outputs that a model needs."""

from __future__ import annotations

import pytest
import torch

from experiments.data.splits import Split, Splits
from experiments.tasks import Classification, Regression, Task


def splits_of(train: torch.Tensor, test: torch.Tensor) -> Splits:
    train_split, test_split = (
        Split(torch.zeros(len(labels), 4, 4, dtype=torch.uint8), labels) for labels in (train, test)
    )
    return Splits(train_split, None, test_split, "")


def test_a_classification_needs_a_logit_for_each_class_of_any_split() -> None:
    splits = splits_of(torch.tensor([0, 2]), torch.tensor([4]))
    assert Classification().outputs(splits) == 5
    fits = [Classification().fits(torch.zeros(2, count), splits) for count in (4, 5, 6)]
    assert fits == [False, True, True]
    assert not Classification().fits(torch.zeros(2, 5, 1), splits)


@pytest.mark.parametrize("shape", [(3,), (3, 1), (3, 2)])
def test_a_regression_has_a_target_for_each_output(shape) -> None:
    labels = torch.rand(shape)
    splits, task = splits_of(labels, labels), Regression()
    targets = task.targets(torch.zeros(3, 1, 4, 4), labels)
    assert targets.shape == (3, task.outputs(splits))
    assert torch.equal(targets.flatten(), labels.flatten())
    assert task.fits(torch.zeros(2, task.outputs(splits)), splits)
    assert not task.fits(torch.zeros(2, 10), splits)


def test_a_task_of_no_certain_size_takes_any_outputs() -> None:
    splits = splits_of(torch.tensor([0]), torch.tensor([0]))
    assert Task().outputs(splits) is None
    assert Task().fits(torch.zeros(2, 3, 4), splits)
