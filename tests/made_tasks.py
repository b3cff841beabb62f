"""Tasks as the configuration builds them."""

from __future__ import annotations

from torch import nn

from experiments.tasks import Accuracy, Classification, Task


def classification(loss=None, metrics=None) -> Task:
    """Return the default task: cross-entropy and accuracy."""
    return task(
        Classification(), loss or nn.CrossEntropyLoss(), metrics or {"accuracy": Accuracy()}
    )


def task(made: Task, loss, metrics) -> Task:
    """Return a task with its loss and metrics."""
    made.loss, made.metrics = loss, metrics
    return made
