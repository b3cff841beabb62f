"""Reports of runs and sweeps tell the objective that ranked them, and all metrics of their task."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from experiments.catalog.groups import grouped
from experiments.registry.objective import ACCURACY, Objective
from experiments.report.points import figures_of
from experiments.report.run_report import run_report
from experiments.report.sweep_report import sweep_report
from tests.report.conftest import found
from tests.report.made_up import made_up_sweep
from tests.report.test_sweep_report import text_of
from tests.sweep.made_up import LOSS

F1 = Objective("f1", "maximize")


def charts_of(page: str) -> dict[str, Any]:
    told = page.partition('<script type="application/json" id="charts">')[2]
    charts: dict[str, Any] = json.loads(told.partition("</script>")[0])["charts"]
    return charts


def rows_of(chart: dict[str, Any], column: str) -> list[dict[str, Any]]:
    """Return the data of a chart that has a column."""
    (rows,) = (rows for rows in chart["datasets"].values() if column in rows[0])
    return list(rows)


@pytest.mark.parametrize("objective", [LOSS, F1, ACCURACY, None])
def test_the_report_of_a_sweep_ranks_by_its_objective(
    tmp_path: Path, objective: Objective | None
) -> None:
    sweep = made_up_sweep(tmp_path / "sweep", 24, 3, objective=objective)
    page = sweep_report(found(sweep))
    text = text_of(page)
    name = objective.name if objective else "accuracy"
    grouping = grouped([found(sweep / str(number)) for number in range(24)])
    best = grouping.groups[0]
    figure = grouping.measure.figure(best.mean, best.deviation)
    on_test = {"accuracy": "90.00 ± 0.00 %", "loss": "0.1000 ± 0.0", "f1": "0.4500 ± 0.0"}[name]
    assert f"Best by validation {name}: {best.name} , {figure} (n = 2)" in text
    assert f"its test {name} is {on_test}" in text
    assert f"mean{', %' if name == 'accuracy' else ''} ± sd" in text
    assert ("Lower is better" in text) == (name == "loss")
    means = [group.mean for group in grouping.groups]
    assert means == sorted(means, reverse=name != "loss")
    captions = re.findall(r"<figcaption>(\S+)\s*</figcaption>", page)
    curves = {"val_accuracy", "val_loss", "train_loss", "val_f1", "grad_norm"}
    assert set(captions) & curves == curves
    assert captions.index(f"val_{name}") == min(captions.index(curve) for curve in curves)


@pytest.mark.parametrize("objective", [LOSS, ACCURACY])
def test_the_best_has_the_strongest_colour_and_the_top_of_its_axis(
    tmp_path: Path, objective: Objective
) -> None:
    sweep = made_up_sweep(tmp_path / "sweep", 40, 3, objective=objective)
    charts = charts_of(sweep_report(found(sweep)))
    better = min if objective == LOSS else max
    cells = rows_of(charts["heat-map"], "share")
    assert better(cells, key=lambda row: row["v"])["share"] == 1
    assert all(0 <= row["share"] <= 1 for row in cells)
    measure = f"validation {objective.name}"
    ends = [row for row in rows_of(charts["parallel"], "m") if row["k"] == measure]
    assert better(ends, key=lambda row: row["m"])["p"] == 1
    assert all(0 <= row["p"] <= 1 for row in ends)
    colour = charts["parallel"]["layer"][0]["encoding"]["color"]["scale"]["domain"]
    assert (colour[1] < colour[0]) == (objective == LOSS)
    levels = charts["effect-0"]["layer"]
    assert all(".2%" not in json.dumps(layer) for layer in levels) == (objective == LOSS)


def test_the_report_of_a_run_has_all_metrics_the_objective_first(tmp_path: Path) -> None:
    sweep = made_up_sweep(tmp_path / "sweep", 1, 3, objective=F1)
    page = run_report(found(sweep / "0"))
    told = page.partition('<section id="result">')[2].partition("</section>")[0]
    names = re.findall(r"<dt>([^<]+)", told)
    assert names == [
        *("test f1", "test loss", "test accuracy", "validation f1", "validation loss"),
        *("validation accuracy", "training loss"),
    ]
    captions = [" ".join(text.split()) for text in re.findall(r"<figcaption>([^<]+)", page)]
    assert captions[:4] == [f"{name} by epoch" for name in ("f1", "loss", "accuracy", "grad_norm")]
    assert "Test f1 0.4500 , test loss 0.1000 ." in text_of(page)


def test_a_task_without_classes_has_no_table_of_classes(tmp_path: Path) -> None:
    folder = made_up_sweep(tmp_path / "sweep", 1, 1, objective=LOSS) / "0"
    assert "Test images" in text_of(run_report(found(folder)))  # they cannot be shown, and why
    run = found(folder)
    regression = {**run.params, "task._target_": "experiments.tasks.Regression"}
    object.__setattr__(run, "params", regression)
    assert "Test images" not in text_of(run_report(run))


def test_a_job_s_journal_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from experiments.journal import run_history

    sweep = made_up_sweep(tmp_path / "sweep", 6, 2)
    scan, read = run_history.scan, list[Path]()

    def counting(folder: Path, offset: int) -> Any:
        read.append(folder)
        return scan(folder, offset)

    summary = found(sweep)
    monkeypatch.setattr(run_history, "scan", counting)
    sweep_report(summary)
    assert sorted(read) == sorted([sweep, *(sweep / str(number) for number in range(6))])


def test_training_and_validation_share_a_figure_and_tests_have_none() -> None:
    metrics = [
        "val_loss",
        "test_loss",
        "lr",
        "train_loss",
        "best_val_f1",
        "epoch_seconds",
        "val_f1",
    ]
    assert figures_of(metrics, "f1") == {
        "f1": {"val_f1": "validation"},
        "loss": {"train_loss": "training", "val_loss": "validation"},
        "lr": {"lr": "lr"},
    }
    assert list(figures_of(metrics, "loss")) == ["loss", "f1", "lr"]
