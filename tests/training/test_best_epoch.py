"""The best epoch is the first of several equal ones, and patience counts from it."""

from __future__ import annotations

import math
import random

import pytest

from experiments.training.best_epoch import Best

NAN, INF = math.nan, math.inf


def watching(monitor: str = "val_loss", *, patience: int | None = None, min_delta: float = 0.0):
    return Best(monitor, monitor == "val_accuracy", patience, min_delta)


def epochs_that_improve(best: Best, *values: float) -> list[int]:
    metrics = ({"val_loss": 0.0, "val_accuracy": 0.0} | {best.monitor: value} for value in values)
    return [epoch for epoch, each in enumerate(metrics, 1) if best.update(each, epoch)]


@pytest.mark.parametrize(
    ("monitor", "values", "improving"),
    [
        ("val_loss", (0.5, 0.25, 0.375, 0.125), [1, 2, 4]),
        ("val_accuracy", (0.5, 0.25, 0.75, 0.625), [1, 3]),
        ("val_loss", (0.5, 0.5, 0.5), [1]),
        ("val_accuracy", (0.0, 0.0), [1]),
        ("val_loss", (-1.0, -2.0), [1, 2]),
        ("val_loss", (1e300, 1e299), [1, 2]),
    ],
)
def test_a_lower_loss_or_a_higher_accuracy_is_better(monitor, values, improving) -> None:
    best = watching(monitor)
    assert epochs_that_improve(best, *values) == improving
    assert best.epoch == improving[-1]
    assert best.metrics[monitor] == values[improving[-1] - 1]


@pytest.mark.parametrize("monitor", ["val_loss", "val_accuracy"])
def test_it_is_the_first_of_the_best_of_any_sequence(monitor: str) -> None:
    numbers = random.Random(0)
    choose = min if monitor == "val_loss" else max
    for length in range(1, 200):
        values = [numbers.choice((0.0, 0.25, 0.5, 0.75, 1.0)) for _ in range(length)]
        best = watching(monitor)
        epochs_that_improve(best, *values)
        assert best.epoch == 1 + values.index(choose(values))


@pytest.mark.parametrize(
    ("monitor", "values", "improving"),
    [
        ("val_loss", (1.0, 0.75, 0.5), [1, 3]),  # exactly min_delta better is no improvement
        ("val_loss", (1.0, 0.875, 0.75, 0.625), [1, 4]),  # measured from the best epoch
        ("val_loss", (1.0, 0.5, 0.125, 0.0), [1, 2, 3]),
        ("val_accuracy", (0.25, 0.5, 0.625, 0.875), [1, 3]),
    ],
)
def test_an_improvement_exceeds_min_delta(monitor, values, improving) -> None:
    assert epochs_that_improve(watching(monitor, min_delta=0.25), *values) == improving


@pytest.mark.parametrize(
    ("monitor", "values", "improving"),
    [
        ("val_loss", (NAN, NAN), []),
        ("val_loss", (NAN, 0.5, NAN, 0.25), [2, 4]),
        ("val_loss", (0.5, NAN, 0.75), [1]),
        ("val_accuracy", (NAN, 0.0, NAN), [2]),
        ("val_loss", (INF, 0.5, INF), [2]),
        ("val_loss", (-INF, -INF, 0.0), [1]),
    ],
)
def test_nan_never_is_the_best(monitor, values, improving) -> None:
    best = watching(monitor)
    assert epochs_that_improve(best, *values) == improving
    assert best.epoch == (improving[-1] if improving else 0)


@pytest.mark.parametrize("patience", [1, 2, 5])
def test_patience_runs_out_that_many_epochs_after_the_best(patience: int) -> None:
    best = watching(patience=patience)
    epochs_that_improve(best, 0.5, 0.25)
    spent = [best.exhausted(epoch) for epoch in range(2, 2 + patience + 2)]
    assert spent == [False] * patience + [True, True]


def test_an_improvement_renews_patience() -> None:
    best = watching(patience=2)
    epochs_that_improve(best, 0.5, 0.75, 0.25)
    assert not best.exhausted(3)
    assert not best.exhausted(4)
    assert best.exhausted(5)


def test_without_any_best_patience_counts_from_the_beginning() -> None:
    best = watching(patience=2)
    epochs_that_improve(best, NAN, NAN)
    assert not best.exhausted(1)
    assert best.exhausted(2)


def test_without_patience_it_waits_for_ever() -> None:
    best = watching(patience=None)
    epochs_that_improve(best, 0.5)
    assert not best.exhausted(10**9)


def test_both_validation_metrics_of_the_best_epoch_are_kept() -> None:
    best = watching()
    metrics = {"val_loss": 0.5, "val_accuracy": 0.75, "train_loss": 0.25}
    best.update(metrics, 1)
    metrics |= {"val_loss": 9.0, "val_accuracy": 0.0}
    best.update(metrics, 2)
    assert best.metrics == {"val_loss": 0.5, "val_accuracy": 0.75}
