"""The charts of a run: its curves and its confusion matrix."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from experiments.report.charts import Row, cells, curves
from experiments.report.points import Curve, figures_of, thinned

if TYPE_CHECKING:
    import altair as alt

_POINTS = 400


def curves_of_run(
    of_run: Mapping[str, Curve], objective: str
) -> dict[str, tuple[alt.LayerChart, list[str]]]:
    """Return the figures of a run's curves, each with the names of its curves.

    Values that are not finite are left out, and figures without any value.

    Args:
        of_run: the curve of each metric.
        objective: the name of the objective, whose figure comes first.
    """
    found = {}
    for figure, there in figures_of(of_run, objective).items():
        rows: list[Row] = [
            {"name": name, "x": step, "y": value}
            for key, name in there.items()
            for step, value in thinned(of_run[key], _POINTS).items()
            if math.isfinite(value)
        ]
        is_constant = len({row["y"] for row in rows}) == 1
        if rows and not (figure == "lr" and is_constant):  # the configuration has a constant
            names = list(there.values())
            found[figure] = curves(rows, figure, coloured=names), names
    return found


def confusion_matrix(counts: Sequence[Sequence[int]], names: Sequence[str] = ()) -> alt.LayerChart:
    """Return the number of test images by their class and the model's answer.

    The colour is the share of the images of the class; its square root shows rare answers too.

    Args:
        counts: a row for each class, with the number of each answer.
        names: of the classes; without any, the numbers of their labels.
    """
    names = names or [str(number) for number in range(len(counts))]
    rows: list[Row] = [
        {"x": names[answer], "y": names[truth], "v": count, "share": (count / sum(row)) ** 0.5}
        for truth, row in enumerate(counts)
        for answer, count in enumerate(row)
        if count
    ]
    return cells(
        rows,
        titles=("answer", "class"),
        orders=(names, names),
        form="d",
        value="images",
        square=True,
    )
