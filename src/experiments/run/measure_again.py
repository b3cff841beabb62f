"""Single metrics of a run's weights, measured apart from its training."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Literal

from torch import Tensor

from experiments.config import RunConfig
from experiments.randomness import derive
from experiments.run.build import Parts
from experiments.target_classes import explained
from experiments.tasks import Metric
from experiments.training.evaluation import evaluate, number_of


class _Named:
    """A metric whose errors name its key."""

    def __init__(self, name: str, metric: Metric, images: str) -> None:
        self._name, self._metric = name, metric
        self._said = f"task.metrics.{name}: cannot be measured on the {images} images"

    def update(self, outputs: Tensor, targets: Tensor, /) -> None:
        """Add a batch."""
        with explained(self._said, "mend it and repeat the command"):
            self._metric.update(outputs, targets)

    def compute(self) -> float:
        """Return the value for all batches since `reset`."""
        with explained(self._said, "mend it and repeat the command"):
            return number_of(self._name, self._metric)

    def reset(self) -> None:
        """Forget all batches."""
        with explained(self._said, "mend it and repeat the command"):
            self._metric.reset()


def measure_again(
    names: Iterable[str],
    images: Literal["validation", "test"],
    config: RunConfig,
    parts: Parts,
    *,
    epoch: int,
    after_batch: Callable[[], None] = lambda: None,
) -> dict[str, float]:
    """Return metrics of the model's present weights, as the run itself would measure them.

    Args:
        names: the metrics.
        images: the split; a run without a validation split has no values there.
        config: the run's configuration.
        parts: the run's objects.
        epoch: the epoch whose weights these are.
        after_batch: called after every batch.

    Returns:
        The values by the names that are recorded, such as `val_f1`.

    Raises:
        InputError: a metric raises an exception.
    """
    is_test = images == "test"
    split = parts.splits.test if is_test else parts.splits.validation
    if split is None:
        return {}
    task = copy.copy(parts.task)
    task.metrics = {name: _Named(name, parts.task.metrics[name], images) for name in names}
    seed = derive(config.seed, "test") if is_test else derive(config.seed, "evaluation", epoch)
    (found,) = evaluate(
        models=[parts.model],
        seeds=[seed],
        task=task,
        split=split,
        limit_batches=config.trainer.limit_batches,
        after_batch=after_batch,
        team=parts.team,
        precision=config.trainer.precision,
    )
    return {f"{'test' if is_test else 'val'}_{key}": value for key, value in found.metrics.items()}
