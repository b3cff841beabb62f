"""The lines that a run prints about its epochs, its test and its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from experiments.training.evaluation import Evaluation
    from experiments.training.loop import Position

_HUGE = 1e6


def epoch_line(metrics: Mapping[str, float], epoch: int) -> str:
    """Return the line of an epoch, counted from 1."""
    validation = "".join(
        f" {name}: {metrics[key]:.4f}"
        for key, name in (("val_loss", "Validation loss"), ("val_accuracy", "accuracy"))
        if key in metrics
    )
    return f"Epoch: {epoch} Loss: {loss(metrics['train_loss'])}{validation}"


def loss(value: float) -> str:
    """Return a loss with three decimals; a huge one with three digits."""
    return f"{value:.3f}" if abs(value) < _HUGE else f"{value:.3g}"


def accuracy_line(test: Evaluation) -> str:
    """Return the line of a test."""
    percent = 100 * test.correct / test.total
    return (
        f"Accuracy of the network on the {test.total} test images: "
        f"{int(percent)} % ({percent:.2f} %)"
    )


def place_of(position: Position, *, epochs: int, batches: int) -> str:
    """Return a position in words, such as `epoch 3, batch 8`.

    Args:
        position: the position.
        epochs: the number of epochs of the run.
        batches: the number of batches in an epoch.
    """
    if position.epoch > epochs or position.stopped:
        return "the test"
    if position.batches >= batches:
        return f"the end of epoch {position.epoch}"
    batch = f", batch {position.batches + 1}" if position.batches else ""
    return f"epoch {position.epoch}{batch}"
