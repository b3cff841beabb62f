"""Groups of runs: which runs form one, which of them count, and in which order groups come."""

from __future__ import annotations

import math
from typing import Any

import pytest

from experiments.catalog.groups import grouped
from experiments.catalog.judged import statements
from experiments.catalog.summary import Summary
from experiments.catalog.varied import varied_keys
from experiments.errors import InputError
from tests.catalog.made_up import summary


def run(number: int, accuracy: float, **params: Any) -> Summary:
    texts = {key.replace("__", "."): str(value) for key, value in params.items()}
    return summary(number, params=texts, metrics={"test_accuracy": accuracy, "test_loss": number})


def test_runs_that_differ_in_the_seed_alone_are_a_group() -> None:
    runs = [run(n, 0.9, optimizer__lr=n % 2, seed=n // 2) for n in range(6)]
    found = grouped(runs)
    assert [len(group.numbers) for group in found.groups] == [3, 3]
    assert (found.keys, found.beside) == (("optimizer.lr",), ())


def test_the_newest_of_equal_runs_counts() -> None:
    found = grouped([run(1, 0.1, seed=0), run(3, 0.3, seed=0), run(2, 0.2, seed=0)])
    assert found.groups[0].mean == 0.3
    assert "Left out: 2 older than another run with the same values" in list(statements(found))


def test_values_of_another_choice_do_not_count_as_varied() -> None:
    runs = [
        run(1, 0.9, optimizer="sgd", optimizer__lr=0.1, optimizer__momentum=0.9, seed=0),
        run(2, 0.9, optimizer="adamw", optimizer__lr=0.001, optimizer__betas=1, seed=0),
    ]
    assert varied_keys(runs) == ["optimizer"]
    third = run(3, 0.9, optimizer="adamw", optimizer__lr=0.01, optimizer__betas=1, seed=0)
    assert varied_keys([*runs, third]) == ["optimizer", "optimizer.lr"]


def test_validation_and_test_accuracies_are_not_mixed() -> None:
    split = summary(1, metrics={"test_accuracy": 0.1, "val_accuracy": 0.5})
    found = grouped([split, summary(2), summary(3)])
    assert [group.mean for group in found.groups] == [0.5]
    assert (found.measure.name, found.without_split) == ("validation accuracy", 2)


def test_a_group_with_a_diverged_run_comes_last() -> None:
    diverged = summary(
        1, params={"a": "1"}, state="diverged", tags={"diverged": "in epoch 1"}, metrics={}
    )
    found = grouped([diverged, run(2, 0.2, a=2), run(3, 0.3, a=3)])
    assert [dict(group.values)["a"] for group in found.groups] == ["3", "2", "1"]
    assert [math.isnan(group.mean) for group in found.groups] == [False, False, True]


@pytest.mark.parametrize(("metric", "best"), [("test_loss", "1"), ("test_accuracy", "9")])
def test_the_better_end_of_a_metric_comes_first(metric: str, best: str) -> None:
    runs = [run(n, n / 10, a=n) for n in (5, 1, 9)]
    assert grouped(runs, metric=metric).groups[0].values["a"] == best


def test_a_lower_loss_leads_and_its_interval_holds_the_mean() -> None:
    runs = [run(10 * a + seed, 0.5, a=a, seed=seed) for a in (0, 1) for seed in (0, 1, 2)]
    found = grouped(runs, metric="test_loss")
    assert [group.mean for group in found.groups] == [1, 11]
    for group, interval in zip(found.groups, found.intervals, strict=True):
        assert interval is not None
        assert interval[0] < group.mean < interval[1]
    assert any(text.startswith("1 leads 2 by 10.00,") for text in statements(found))


@pytest.mark.parametrize("value", [math.inf, math.nan])
@pytest.mark.parametrize("metric", ["test_accuracy", None])
def test_a_group_with_a_value_that_is_not_finite_comes_last(
    value: float, metric: str | None
) -> None:
    runs = [run(1, 0.1, a=1, seed=0), run(2, 0.9, a=2, seed=0), run(3, value, a=2, seed=1)]
    found = grouped(runs, metric=metric)
    assert [group.mean for group in found.groups] == [0.1, 0.9]
    assert [group.not_finite for group in found.groups] == [0, 1]
    assert "2 ranks last because of runs without a finite value" in list(statements(found))


def test_runs_without_the_metric_are_told() -> None:
    found = grouped([run(1, 0.1, a=1), summary(2, metrics={"other": 1.0})], metric="test_loss")
    assert "Left out: 1 without the metric" in list(statements(found))


@pytest.mark.parametrize("key", ["test_accuracy", "host", "lr"])
def test_groups_have_the_values_of_parameters(key: str) -> None:
    runs = [
        summary(1, metrics={"test_accuracy": 0.1, "lr": 0.1}),
        summary(2, metrics={"test_accuracy": 0.2, "lr": 0.1}),
    ]
    with pytest.raises(InputError) as caught:
        grouped(runs, [key])
    assert str(caught.value).startswith(f"--group-by={key}: is no parameter")
    assert ("did you mean optimizer.lr?" in str(caught.value)) == (key == "lr")


def test_only_accuracies_of_one_test_set_have_a_rounding_error() -> None:
    runs = [
        summary(4 * a + n, params={"a": str(a), "seed": str(n)}, metrics={"lr": 1.0 + a})
        for a in (0, 1)
        for n in (0, 1, 2)
    ]
    assert grouped(runs, metric="lr").intervals == (None, None)


def test_a_diverged_run_with_a_split_hides_no_finished_one() -> None:
    diverged = summary(
        1, state="diverged", tags={"diverged": "true"}, metrics={"val_accuracy": 0.1}
    )
    found = grouped([diverged, summary(2), summary(3)])
    assert (found.measure.name, found.without_split) == ("test accuracy", 0)
