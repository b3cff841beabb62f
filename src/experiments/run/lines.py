"""The lines that a run prints about its epochs, its test and its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from experiments.training.evaluation import Evaluation
    from experiments.training.position import Position

COMPILING = "Compiling the model; this can take a minute, and less once torch keeps its code"
"""the line before a compiled model is tried"""

_HUGE = 1e6


def epoch_line(metrics: Mapping[str, float], epoch: int) -> str:
    """Return the line of an epoch, counted from 1."""
    validation = "".join(
        f" {'Validation loss' if key == 'val_loss' else key.removeprefix('val_')}: {value:.4f}"
        for key, value in metrics.items()
        if key.startswith("val_")
    )
    return f"Epoch: {epoch} Loss: {loss(metrics['train_loss'])}{validation}"


def loss(value: float) -> str:
    """Return a loss with three decimals; a huge one with three digits."""
    return f"{value:.3f}" if abs(value) < _HUGE else f"{value:.3g}"


def test_line(test: Evaluation) -> str:
    """Return the line of a test: the accuracy as in the article, and the other metrics."""
    others = {"loss": test.loss, **test.metrics}
    if "accuracy" not in others:
        told = ", ".join(f"{name} {value:.4f}" for name, value in others.items())
        return f"Test of the network on the {test.total} test images: {told}"
    percent = 100 * round(others.pop("accuracy") * test.total) / test.total
    told = "".join(f", {name} {value:.4f}" for name, value in others.items() if name != "loss")
    return (
        f"Accuracy of the network on the {test.total} test images: "
        f"{int(percent)} % ({percent:.2f} %){told}"
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
