"""The charts of an explanation: the calibration of the answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from experiments.explaining.quality import Calibration
from experiments.report.charts import Row, data_of, framed

if TYPE_CHECKING:
    import altair as alt


def reliability(found: Calibration) -> alt.LayerChart:
    """Return the accuracy of the answers by their confidence, beside the ideal line.

    A point lies at the mean confidence of its bin; its area tells the number of answers.
    """
    import altair as alt

    rows: list[Row] = [
        {
            "low": each.low,
            "high": each.high,
            "x": each.confidence,
            "y": each.accuracy,
            "n": each.count,
            "gap": each.accuracy - each.confidence,
        }
        for each in found.bins
        if each.count
    ]
    share = alt.Scale(domain=[0, 1], nice=False)
    axis = alt.Axis(format=".0%", tickCount=5)
    x = alt.X("x:Q", title="confidence", scale=share, axis=axis)
    y = alt.Y("y:Q", title="accuracy", scale=share, axis=axis)
    tips = [
        alt.Tooltip("low:Q", title="confidence from", format=".1%"),
        alt.Tooltip("high:Q", title="to", format=".1%"),
        alt.Tooltip("x:Q", title="mean confidence", format=".2%"),
        alt.Tooltip("y:Q", title="accuracy", format=".2%"),
        alt.Tooltip("n:Q", title="answers", format=","),
    ]
    ideal = alt.Chart(data_of([{"x": 0, "y": 0}, {"x": 1, "y": 1}]))
    base = alt.Chart(data_of(rows))
    area = alt.Size("n:Q", scale=alt.Scale(type="sqrt", range=[20, 400]), legend=None)
    layers = (
        ideal.mark_line(style="rest", strokeDash=[4, 3]).encode(x=x, y=y),
        base.mark_rule(strokeWidth=1.5).encode(x=x, y=y, y2="x:Q"),
        base.mark_point().encode(x=x, y=y, size=area, tooltip=tips),
    )
    described = "Accuracy of the answers by their confidence"
    return framed(*layers, described=described, height=340)


def confidences(found: Calibration) -> alt.LayerChart:
    """Return the share of the answers in each bin of the confidence."""
    import altair as alt

    total = sum(each.count for each in found.bins)
    rows: list[Row] = [
        {"low": each.low, "high": each.high, "y": each.count / total, "n": each.count}
        for each in found.bins
    ]
    x = alt.X(
        "low:Q",
        bin="binned",
        title="confidence",
        scale=alt.Scale(domain=[0, 1], nice=False),
        axis=alt.Axis(format=".0%", tickCount=5, grid=False),
    )
    root = alt.Scale(type="sqrt", domain=[0, 1], nice=False)  # few answers are seen too
    axis = alt.Axis(format=".0%", values=[0, 0.01, 0.05, 0.2, 0.5, 1])
    y = alt.Y("y:Q", title="share of the answers", scale=root, axis=axis)
    tips = [
        alt.Tooltip("low:Q", title="confidence from", format=".1%"),
        alt.Tooltip("high:Q", title="to", format=".1%"),
        alt.Tooltip("n:Q", title="answers", format=","),
    ]
    bars = (
        alt.Chart(data_of(rows)).mark_bar(binSpacing=1).encode(x=x, x2="high:Q", y=y, tooltip=tips)
    )
    return framed(bars, described="Answers by their confidence", height=340)
