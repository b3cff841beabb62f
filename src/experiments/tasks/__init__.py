"""Tasks: the targets, the loss and the metrics of a training."""

from experiments.tasks.metrics import Accuracy, Metric, OfAllExamples
from experiments.tasks.task import (
    Classification,
    Loss,
    Regression,
    Task,
    has_labels_as_targets,
    is_plain_cross_entropy,
)

__all__ = [
    "Accuracy",
    "Classification",
    "Loss",
    "Metric",
    "OfAllExamples",
    "Regression",
    "Task",
    "has_labels_as_targets",
    "is_plain_cross_entropy",
]
