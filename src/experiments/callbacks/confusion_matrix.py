"""The confusion matrix of a classification, as a figure and as a table of counts."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from experiments.callbacks.callback import Callback, Training
from experiments.data.batches import batches
from experiments.data.splits import Split
from experiments.errors import RunError
from experiments.tasks import Classification, Task

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BATCH = 1000  # affects only the speed
_LABELLED = 20  # more classes leave no room for a count in each cell


class ConfusionMatrix(Callback):
    """Saves how many examples of each class the model takes for which class.

    After each epoch it saves `confusion_matrix/epoch_003.png` and `.csv` about the whole validation
    split, if there is one, and after the test `confusion_matrix/test.png` and `.csv`. Row i, column
    j counts the examples of class i whose largest logit is the j-th.
    """

    def on_fit_start(self, training: Training) -> None:
        """Check the task.

        Raises:
            RunError: it is no classification.
        """
        if not isinstance(training.task, Classification):
            raise RunError(
                f"callbacks: ConfusionMatrix needs classes, and the task is "
                f"{type(training.task).__name__}; choose task=classification, or remove the "
                "callback"
            )

    def on_epoch_end(self, training: Training, metrics: Mapping[str, float]) -> None:
        """Save the matrix of the validation split."""
        if training.validation is not None:
            self._save(training, training.validation, f"epoch_{training.epoch:03}")

    def on_test_end(self, training: Training, metrics: Mapping[str, float]) -> None:
        """Save the matrix of the test split."""
        if training.test is not None:
            self._save(training, training.test, "test")

    def _save(self, training: Training, split: Split, name: str) -> None:
        counts = count(training.model, training.task, split).tolist()
        training.log_figure(draw(counts, name), f"confusion_matrix/{name}.png")
        with tempfile.TemporaryDirectory() as folder:
            table = Path(folder) / "counts.csv"
            with table.open("w", newline="") as file:
                rows = csv.writer(file, lineterminator="\n")
                rows.writerow(["class", *range(len(counts))])
                rows.writerows([number, *row] for number, row in enumerate(counts))
            training.log_artifact(table, f"confusion_matrix/{name}.csv")


@torch.no_grad()
def count(model: nn.Module, task: Task, split: Split) -> Tensor:
    """Return the confusion matrix of a model, int64 (K, K): row i, column j counts i taken for j.

    Args:
        model: returns logits (B, K).
        task: gives the classes of a batch, int64 (B).
        split: the examples.
    """
    model.eval()
    total: Tensor | None = None
    for images, labels in batches(split, _BATCH):
        logits = model(images)
        classes = logits.shape[1]
        pairs = task.targets(images, labels) * classes + logits.argmax(1)
        found = torch.bincount(pairs, minlength=classes**2)
        total = found if total is None else total + found
    if total is None:
        return torch.zeros(0, 0, dtype=torch.int64)
    return total.view(classes, classes)


def draw(counts: Sequence[Sequence[int]], title: str) -> Figure:
    """Return a heat map of a confusion matrix; colours show the share of the row's class.

    Args:
        counts: the matrix.
        title: the text above it.
    """
    from matplotlib.figure import Figure

    shares = [[number / max(1, sum(row)) for number in row] for row in counts]
    classes = range(len(counts))
    figure = Figure(figsize=(6, 6), layout="constrained")
    axes = figure.add_subplot(title=title, xlabel="predicted class", ylabel="class")
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    if len(counts) <= _LABELLED:
        axes.set_xticks(classes)
        axes.set_yticks(classes)
        for row in classes:
            for column in classes:
                colour = "white" if shares[row][column] > 0.5 else "black"
                text = str(counts[row][column])
                axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=8)
    return figure
