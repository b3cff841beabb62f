"""The confusion matrix has the counts of scikit-learn, and needs a classification."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch
from sklearn.metrics import confusion_matrix

from experiments.callbacks import ConfusionMatrix
from experiments.data.batches import normalise
from experiments.errors import RunError
from experiments.tasks import Regression
from tests.callbacks.plain_training import PlainTraining, few


def table(path: Path) -> list[list[int]]:
    with path.open() as file:
        header, *rows = csv.reader(file)
    assert header == ["class", *map(str, range(10))]
    assert [row[0] for row in rows] == header[1:]
    return [[int(cell) for cell in row[1:]] for row in rows]


def test_the_counts_are_those_of_scikit_learn(digits, tmp_path: Path) -> None:
    training = PlainTraining(few(digits), {"m": ConfusionMatrix()}, folder=tmp_path).run()
    training.test = digits.test
    training.moments.test_end({})
    place = tmp_path / "confusion_matrix"
    names = ["epoch_001", "epoch_002", "test"]
    assert sorted(path.name for path in place.iterdir()) == sorted(
        f"{name}.{kind}" for name in names for kind in ("csv", "png")
    )
    for split, name in ((training.validation, "epoch_002"), (digits.test, "test")):
        images, labels = split.at(slice(None))
        with torch.no_grad():
            predicted = training.model.eval()(normalise(images)).argmax(1)
        expected = confusion_matrix(labels, predicted, labels=range(10))
        assert table(place / f"{name}.csv") == expected.tolist()
        assert (place / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_without_validation_only_the_test_has_one(digits, tmp_path: Path) -> None:
    training = PlainTraining(few(digits), {"m": ConfusionMatrix()}, folder=tmp_path)
    training.validation = None
    training.run()
    assert training.figures == []


def test_another_task_is_refused_in_one_line(digits) -> None:
    training = PlainTraining(few(digits), {"m": ConfusionMatrix()}, task=Regression())
    with pytest.raises(RunError, match="needs classes, and the task is Regression; choose") as it:
        training.moments.fit_start({})
    assert "\n" not in str(it.value)
