"""Warnings about results of little use: a run that diverged, exploded or learned nothing."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from experiments.registry.earlier import WARNING
from experiments.tasks import Classification, Task
from experiments.training.evaluation import Evaluation

_QUANTILE = 2.33  # of the normal distribution: chance alone exceeds the limit in 1 of 100 runs
_EXPLODED = 2.0  # times the loss of a model that knows nothing


def is_finite(loss: float, weights: Iterable[Tensor]) -> bool:
    """Return whether a loss and all weights are finite."""
    return math.isfinite(loss) and bool(torch.stack([w.isfinite().all() for w in weights]).all())


def tags_of_divergence(epoch: int) -> dict[str, str]:
    """Return the tags of a run whose loss or weights were not finite after an epoch."""
    warning = f"diverged: the loss or a weight was NaN or infinite in epoch {epoch}"
    return {"diverged": "true", "diverged_epoch": str(epoch), WARNING: warning}


def warning_about(test: Evaluation, task: Task, labels: Tensor) -> str | None:
    """Return the reason why a finished classification is of little use; None for any other run.

    A cross-entropy has exploded if it is above twice log(K), that of equal probabilities for K
    classes. A run is at chance level if its accuracy is within the 99 % limit, in the normal
    approximation, of a guess that is always the most frequent class.

    Args:
        test: the evaluation on test images.
        task: the run's task.
        labels: the labels of the test images, int64 (N).
    """
    if not isinstance(task, Classification):
        return None
    counts = labels.bincount()
    nothing_known = math.log(len(counts)) if len(counts) > 1 else math.inf
    is_entropy = isinstance(task.loss, nn.CrossEntropyLoss)
    if is_entropy and test.loss > _EXPLODED * nothing_known:
        return (
            f"exploded: the test loss is {test.loss:.4g}, and a model that knows nothing has "
            f"{nothing_known:.2f}"
        )
    share = float(counts.max()) / len(labels)
    limit = share + _QUANTILE * math.sqrt(share * (1 - share) / test.total)
    accuracy = test.metrics.get("accuracy", math.inf)
    if accuracy <= limit < 1:
        return (
            f"at chance level: test accuracy {100 * accuracy:.2f} %, and always the most "
            f"frequent class gives {100 * share:.2f} %"
        )
    return None
