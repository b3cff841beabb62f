"""Tasks: the targets that a model learns from a batch, and the number of outputs for them.

Shapes: B batch, C channels, H and W pixels, K classes, D numbers per example.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor, nn

from experiments.data.splits import Splits
from experiments.tasks.metrics import Metric

Loss = Callable[[Tensor, Tensor], Tensor]
"""takes outputs and targets, and returns the mean over the batch, a scalar"""


class Task:
    """The base of tasks. Its loss and metrics take a model's outputs and these targets."""

    loss: Loss
    """set from `task.loss` in the configuration"""
    metrics: Mapping[str, Metric]
    """set from `task.metrics`"""

    def targets(self, images: Tensor, labels: Tensor) -> Tensor:
        """Return the targets of a batch.

        Args:
            images: float32 (B, C, H, W), normalised.
            labels: the labels of the data set, int64 (B), or float32 (B) or (B, D).
        """
        del images
        return labels

    def outputs(self, splits: Splits) -> int | None:
        """Return the number of outputs per example that a model needs; None if it may vary."""
        del splits
        return None

    def fits(self, outputs: Tensor, splits: Splits) -> bool:
        """Return whether a model's outputs for two images have the right shape."""
        needed = self.outputs(splits)
        return needed is None or tuple(outputs.shape) == (2, needed)


class Classification(Task):
    """One class per example: the outputs are logits (B, K), the targets labels int64 (B)."""

    def outputs(self, splits: Splits) -> int:
        """Return K, the number of classes of the training and test examples."""
        return int(max(splits.train.labels.max(), splits.test.labels.max())) + 1

    def fits(self, outputs: Tensor, splits: Splits) -> bool:
        """Return whether there is a logit for each class; more are allowed."""
        return outputs.dim() == 2 and outputs.shape[1] >= self.outputs(splits)


class Regression(Task):
    """Numbers per example: the outputs and the targets are float32 (B, D)."""

    def targets(self, images: Tensor, labels: Tensor) -> Tensor:
        """Return the labels as float32 (B, D)."""
        del images
        return labels.float().view(len(labels), -1)

    def outputs(self, splits: Splits) -> int:
        """Return D, the number of numbers per example."""
        return splits.train.labels[0].numel()


def has_labels_as_targets(task: Task) -> bool:
    """Return whether the targets of a task are the labels of the data set."""
    return getattr(task.targets, "__func__", None) is Task.targets


def is_plain_cross_entropy(loss: Loss) -> bool:
    """Return whether a loss is torch's cross-entropy, a mean without weights, perhaps smoothed."""
    return type(loss) is nn.CrossEntropyLoss and (
        (loss.weight, loss.reduction, loss.ignore_index) == (None, "mean", -100)
    )
