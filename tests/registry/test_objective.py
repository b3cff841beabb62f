"""An objective is told by tags, found among metrics, and shown in the form of its metric."""

from __future__ import annotations

import math

import pytest

from experiments.config.tracking import RESERVED
from experiments.registry.earlier import Earlier, Result
from experiments.registry.objective import ACCURACY, Measure, Objective, most_frequent, shown

LOSS = Objective("loss", "minimize")


@pytest.mark.parametrize("objective", [ACCURACY, LOSS, Objective("r2", "maximize")])
def test_its_tags_tell_it(objective: Objective) -> None:
    assert Objective.of_tags({"seed": "1", **objective.tags}) == objective


def test_a_user_s_tag_cannot_take_its_place() -> None:
    assert all(RESERVED.fullmatch(key) for key in ACCURACY.tags)


def test_runs_that_tell_none_have_accuracy() -> None:
    assert Objective.of_tags({"git_commit": "1"}) == ACCURACY == Objective("accuracy", "maximize")


def test_validation_comes_before_the_test_and_the_best_epoch_before_the_last() -> None:
    metrics = {"test_loss": 3.0, "test_accuracy": 0.9}
    for key, value in {"test_loss": 3.0, "val_loss": 2.0, "best_val_loss": 1.0}.items():
        metrics[key] = value
        assert Result(metrics, diverged=False, ranked_by=LOSS).objective == value
    assert Result(metrics, diverged=False).objective == 0.9
    assert math.isnan(Result(metrics, diverged=True, ranked_by=LOSS).objective)
    assert math.isnan(Result({}, diverged=False, ranked_by=LOSS).objective)


def test_only_a_finished_run_has_a_value() -> None:
    told = {"metrics": {"test_loss": 3.0}, "ranked_by": LOSS}
    assert Earlier("finished", None, "", 0, **told).objective == 3
    assert math.isnan(Earlier("dead", None, "", 0, **told).objective)


def test_the_objective_of_most_is_taken_and_of_equally_many_the_first() -> None:
    assert most_frequent([ACCURACY, LOSS, LOSS]) == LOSS
    assert most_frequent([LOSS, ACCURACY, ACCURACY, LOSS]) == LOSS
    assert most_frequent([]) == ACCURACY


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        ("test_accuracy", 0.97541, "97.54 %"),
        ("validation top5_accuracy", 1.0, "100.00 %"),
        ("val_loss", 0.2, "0.2000"),
        ("val_f1", 0.97541, "0.9754"),
        ("test_mse", 12345.6, "12346"),
        ("test_mse", 1.5e-9, "1.500e-09"),
        ("test_loss", math.inf, "inf"),
        ("test_loss", math.nan, ""),
    ],
)
def test_only_accuracies_are_shown_in_per_cent(metric: str, value: float, text: str) -> None:
    assert shown(metric, value) == text


def test_means_intervals_and_differences_have_the_form_of_their_metric() -> None:
    share, loss = ACCURACY.measure(validated=True), LOSS.measure(validated=False)
    assert share == Measure("validation accuracy", "maximize", "validation")
    assert loss == Measure("test loss", "minimize", "test")
    assert share.figure(0.95, 0.0123) == "95.00 ± 1.23 %"
    assert loss.figure(0.95, 0.0123) == "0.9500 ± 0.012"
    assert (share.figure(0.95, math.nan), loss.figure(0.95, math.nan)) == ("95.00 %", "0.9500")
    assert (share.span((0.9, 1.0)), loss.span((0.9, 1.0))) == (
        *("90.00 to 100.00 %", "0.9000 to 1.000"),
    )
    assert f"{share.difference(0.01)}{share.points}" == "1.00 points"
    assert f"{loss.difference(0.01)}{loss.points}" == "0.01000"
