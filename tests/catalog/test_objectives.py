"""Runs with other objectives in lists and comparisons: what ranks them, and what is left out."""

from __future__ import annotations

import math
import random

import pytest

from experiments.catalog.groups import grouped
from experiments.catalog.judged import against_best, statements
from experiments.catalog.metrics import direction_of
from experiments.catalog.order import ordered
from experiments.catalog.rows import FACTS, as_row
from experiments.catalog.summary import Summary
from experiments.catalog.varied import varied_keys
from experiments.errors import InputError
from experiments.registry.objective import ACCURACY, Objective
from experiments.sweep.verdict import judge
from tests.catalog.made_up import summary
from tests.sweep.made_up import LOSS, results


def run(number: int, value: float, objective: Objective, **params: object) -> Summary:
    """Return a run with a test value of its objective."""
    texts = {key.replace("__", "."): str(each) for key, each in params.items()}
    metrics = {f"test_{objective.name}": value}
    return summary(number, params=texts, metrics=metrics, tags=objective.tags)


@pytest.mark.parametrize("objective", [ACCURACY, LOSS])
def test_the_best_come_first_in_the_direction_of_their_objective(objective: Objective) -> None:
    runs = [run(number, value, objective) for number, value in enumerate((0.5, 0.1, 0.9, math.nan))]
    values = [each.objective for each in ordered(runs, (), (), best=True)]
    assert values[:3] == sorted(values[:3], reverse=objective == ACCURACY)
    assert math.isnan(values[3])
    turned = [each.objective for each in ordered(runs, (), (), best=True, reverse=True)]
    assert turned[:3] == values[2::-1]


def test_the_best_of_several_objectives_is_refused_in_one_line() -> None:
    runs = [run(1, 0.1, LOSS), run(2, 0.9, LOSS), run(3, 0.9, ACCURACY)]
    with pytest.raises(InputError, match=r"^--best: the runs have 2 objectives, loss and accuracy"):
        ordered(runs, (), (), best=True)
    chosen = ordered(runs, ["objective=accuracy"], (), best=True)
    assert [each.id for each in chosen] == [runs[2].id]
    undecided = run(4, math.nan, ACCURACY)  # a run without a value needs no comparison
    assert ordered([*runs[:2], undecided], (), (), best=True)[0] is runs[0]


def test_runs_that_tell_no_objective_are_found_by_accuracy() -> None:
    runs = [summary(1), run(2, 0.1, LOSS)]
    assert ordered(runs, ["objective=accuracy"], ()) == [runs[0]]


def test_a_comparison_ranks_the_objective_of_most_and_tells_the_others() -> None:
    runs = [run(n, n / 10, LOSS, a=n) for n in (1, 2, 3)]
    found = grouped([*runs, run(9, 0.9, ACCURACY, a=9)])
    assert (found.measure.name, found.measure.direction) == ("test loss", "minimize")
    assert [group.values["a"] for group in found.groups] == ["1", "2", "3"]
    said = list(statements(found))
    assert "Left out: 1 with the objective accuracy" in said
    assert "Lower is better" in said
    turned = Objective("loss", "maximize")
    said = list(statements(grouped([*runs, run(9, 0.9, turned, a=9)])))
    assert "Left out: 1 with the objective loss, maximized" in said


def test_groups_and_settings_are_ranked_by_the_same_rules() -> None:
    numbers = random.Random(0)
    for objective in (LOSS, ACCURACY):
        values = {a: [numbers.random() for _ in range(3)] for a in range(4)}
        runs = [
            run(10 * a + seed, value, objective, m__a=a, seed=seed)
            for a, row in values.items()
            for seed, value in enumerate(row)
        ]
        runs = [summary_of_one_data_set(each) for each in runs]
        found = grouped(runs)
        made = {f"m.a={a}": row for a, row in values.items()}
        verdict = judge(results(made, objective=objective))
        assert [group.name for group in found.groups] == [
            setting.name for setting in verdict.ranking.settings
        ]
        assert found.intervals == verdict.intervals
        places = range(len(found.groups))
        assert [against_best(found, place) for place in places] == [
            verdict.against_best(place) for place in places
        ]


def summary_of_one_data_set(run: Summary) -> Summary:
    number = int(run.id[:4], 16)
    tags = {**run.tags, "data_sha256": "0"}
    return summary(number, params=run.params, metrics=run.metrics, tags=tags)


def test_a_single_setting_is_not_called_the_best() -> None:
    assert against_best(grouped([run(1, 0.1, LOSS)]), 0) == ""
    assert judge(results({"m.lr=1": [0.5, 0.6]})).against_best(0) == ""


def test_the_task_tells_the_direction_of_a_metric() -> None:
    params = {
        "task__metrics__mae__direction": "minimize",
        "task__metrics__f1__direction": "maximize",
    }
    runs = [run(1, 0.5, Objective("error_free", "maximize"), **params)]
    values = {"val_mae": 1.0, "test_f1": 1.0, "val_error_free": 1.0, "grad_error": 1.0}
    runs = [summary(1, params=runs[0].params, metrics=values, tags=runs[0].tags)]
    assert direction_of("val_mae", runs) == "minimize"
    assert direction_of("test_f1", runs) == "maximize"
    assert direction_of("val_error_free", runs) == "maximize"
    assert direction_of("grad_error", runs) == "minimize"  # by its name
    other = summary(2, params={"task.metrics.mae.direction": "maximize"}, metrics={"val_mae": 1.0})
    with pytest.raises(InputError, match=r"^--metric=val_mae: some runs maximize it and others"):
        direction_of("val_mae", [*runs, other])


def test_a_table_has_the_objective_of_each_run() -> None:
    row = as_row(run(1, 0.25, LOSS))
    assert (row["objective"], row["objective_direction"], row["objective_value"]) == (
        *("loss", "minimize", 0.25),
    )
    assert list(row)[: len(FACTS)] == FACTS


def test_keys_that_follow_from_others_do_not_count_as_varied() -> None:
    def told(objective: str, task: str, **more: str) -> Summary:
        params = {"task": task, "task.objective": objective, "task.loss.a": f"of {task}"}
        params["trainer.monitor"] = f"val_{objective}"
        return summary(1, params=params | {key.replace("__", "/"): v for key, v in more.items()})

    same = [told("accuracy", "classification"), told("loss", "classification")]
    assert varied_keys(same) == ["task.objective"]
    tasks = [told("accuracy", "classification"), told("loss", "regression")]
    assert varied_keys(tasks) == ["task"]
    losses = [told("loss", "a", task__loss=loss) for loss in ("one", "two")]
    assert varied_keys(losses) == ["task/loss"]
