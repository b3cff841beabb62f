"""`experiments ls`, `compare` and `show` on journals with several objectives."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import experiments
from experiments.registry.objective import Objective
from tests.cli.conftest import Lab
from tests.report.made_up import made_up_sweep


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """Eight runs with the objective loss, and four journals that tell none."""
    folder = tmp_path_factory.mktemp("objectives")
    made_up_sweep(folder / "outputs" / "one", 8, 2, objective=Objective("loss", "minimize"))
    made_up_sweep(folder / "outputs" / "two", 4, 2)
    return Lab(folder)


def test_the_best_needs_one_objective(lab: Lab) -> None:
    told = lab.error("ls", "--best")
    assert told.startswith("--best: the runs have 2 objectives, loss and accuracy")
    losses = [run["metrics"]["val_loss"] for run in lab.data("ls", "--best", "objective=loss")]
    assert losses == sorted(losses)
    assert len(losses) == 8
    shares = lab.data("ls", "--best", "objective=accuracy")
    values = [run["metrics"]["val_accuracy"] for run in shares]
    assert values == sorted(values, reverse=True)
    assert [run["objective_value"] for run in shares] == values


def test_a_list_has_the_columns_of_each_objective(lab: Lab) -> None:
    titles = set(lab.output("ls").splitlines()[0].split())
    assert {"val_loss", "test_loss", "val_accuracy", "test_accuracy"} <= titles
    titles = set(lab.output("ls", "objective=loss").splitlines()[0].split())
    assert {"val_loss", "test_loss"} <= titles
    assert not {"val_accuracy", "val_f1"} & titles


def test_a_comparison_takes_the_objective_of_most(lab: Lab) -> None:
    found = lab.data("compare")
    assert (found["metric"], found["direction"]) == ("validation loss", "minimize")
    means = [group["mean"] for group in found["groups"]]
    assert means == sorted(means)
    assert "Left out: 4 with the objective accuracy" in found["statements"]
    other = lab.data("compare", "objective=accuracy")
    assert (other["metric"], other["direction"]) == ("validation accuracy", "maximize")


def test_show_has_all_metrics(lab: Lab) -> None:
    (run, *_) = lab.data("ls", "objective=loss")
    text = lab.output("show", run["id"])
    for metric in ("val_f1", "test_f1", "val_loss", "val_accuracy", "grad_norm"):
        assert metric in text


def test_a_dataframe_has_the_objective(lab: Lab) -> None:
    table = experiments.runs(outputs=lab.folder / "outputs")
    assert dict(table["objective"].value_counts()) == {"loss": 8, "accuracy": 4}
    losses = table[table["objective"] == "loss"]
    assert list(losses["objective_value"]) == list(losses["val_loss"])


def test_a_chart_of_a_loss_is_not_in_per_cent(lab: Lab) -> None:
    lab.output("compare", "objective=loss", "--plot", "loss.json")
    chart = json.loads(Path(lab.folder, "loss.json").read_text())
    assert "validation loss" in json.dumps(chart)
    assert "%" not in json.dumps(chart["layer"]).replace("95 % from", "")
