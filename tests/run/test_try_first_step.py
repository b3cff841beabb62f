"""A loss that does not fit the outputs and targets is explained, and the trial itself is silent."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from experiments.data.splits import Split
from experiments.errors import InputError
from experiments.run.try_first_step import compute_gradients, try_on_a_copy
from experiments.tasks import Classification, OfAllExamples, Regression, Task

LABELS = torch.arange(8) % 3


def made(task: Task, loss: Callable[..., Tensor], **metrics: OfAllExamples) -> Task:
    task.loss, task.metrics = loss, metrics
    return task


def split(labels: Tensor) -> Split:
    return Split(torch.arange(8 * 4, dtype=torch.uint8).view(8, 2, 2), labels)


def model() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(4, 3))


@pytest.mark.parametrize(
    ("task", "loss", "labels", "said"),
    [
        (
            Classification(),
            nn.MSELoss(),
            LABELS,
            r"^task\.loss: MSELoss does not take outputs \(7, 3\) and targets \(7,\), which are "
            "class labels; choose task=regression .*, such as task/loss=cross_entropy; ",
        ),
        (
            Classification(),
            nn.CrossEntropyLoss(),
            LABELS.float(),
            "targets that are floating-point numbers; choose task=regression, or give the data set",
        ),
        (
            Classification(),
            nn.CrossEntropyLoss(weight=torch.ones(2)),
            LABELS,
            r"^task\.loss\.weight: has 2 entries, and the model has 3 outputs; give it 3, one for",
        ),
    ],
)
def test_a_loss_that_does_not_fit_is_explained(
    task: Task, loss: nn.Module, labels: Tensor, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        compute_gradients(model(), made(task, loss), split(labels))


def test_another_failure_of_a_loss_keeps_its_own_words() -> None:
    def broken(outputs: Tensor, targets: Tensor) -> Tensor:
        raise KeyError("mine")

    for task, labels in ((Regression(), torch.zeros(8, 3)), (Classification(), LABELS)):
        with pytest.raises(InputError, match="broken fails in its first step with KeyError: 'mine"):
            compute_gradients(model(), made(task, broken), split(labels))


def test_the_trial_repeats_no_warning_that_its_few_images_cause() -> None:
    def complaining(outputs: Tensor, targets: Tensor) -> float:
        warnings.warn("No positive samples in targets", stacklevel=1)
        return 0.0

    task = made(Classification(), nn.CrossEntropyLoss(), x=OfAllExamples(complaining))

    def build(copy: nn.Module):
        optimizer = torch.optim.SGD(copy.parameters(), lr=0.1)
        return optimizer, torch.optim.lr_scheduler.ConstantLR(optimizer)

    with pytest.warns(UserWarning, match="No positive samples"):
        compute_gradients(model(), task, split(LABELS))
    try_on_a_copy(model(), task, split(LABELS), build)  # warnings are errors here


def test_an_operation_without_a_repeatable_kernel_is_named_with_the_remedy() -> None:
    class Putting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last = nn.Linear(4, 3)

        def forward(self, x):
            y = self.last(x.flatten(1))
            return y.clone().put_(torch.tensor([0]), y[0, :1])  # unrepeatable on every device

    task = made(Classification(), nn.CrossEntropyLoss())
    torch.use_deterministic_algorithms(True)
    try:
        with pytest.raises(
            InputError,
            match=r"^trainer\.deterministic=true: Putting calls put_, which has no repeatable "
            r"kernel on the device; replace it, or set trainer\.deterministic=false$",
        ):
            compute_gradients(Putting(), task, split(LABELS))
    finally:
        torch.use_deterministic_algorithms(False)
    compute_gradients(Putting(), task, split(LABELS))
