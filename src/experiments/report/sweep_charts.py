"""The charts of a sweep: learning curves, the effect of each factor, two factors, all factors."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from experiments.catalog.groups import Group, Grouping
from experiments.registry.objective import Measure
from experiments.report.charts import Mean, Row, cells, curves, data_of, framed
from experiments.report.factors import Factor, axis_of, means_of, name_of, short
from experiments.report.points import Curve, band, thinned
from experiments.report.scales import fine_format_of, format_of, padded, scale_for
from experiments.report.theme import SERIES

if TYPE_CHECKING:
    import altair as alt

_POINTS, _POINTS_BEHIND = 200, 60  # of a coloured and of a grey curve
_TICKS = 7


def means(grouping: Grouping, most: int) -> list[Mean]:
    """Return the means of the best settings with their 95 % intervals, for `means_chart`.

    Args:
        grouping: the ranked settings.
        most: the largest number of them.
    """
    found = []
    for place, group in enumerate(grouping.compared[:most]):
        low, high = grouping.intervals[place] or (None, None)
        found.append(Mean(f"{place + 1}. {name_of(group)}", group.mean, low, high))
    return found


def learning_curves(
    groups: Sequence[Group], of_runs: Mapping[str, Mapping[str, Curve]], metric: str
) -> alt.LayerChart | None:
    """Return a metric by epoch: mean and range over the seeds of the best settings, others grey.

    Args:
        groups: the settings, the best first.
        of_runs: the curve of each metric, by the id of the run.
        metric: the name of the metric.

    Returns:
        The chart; None if no run has the metric.
    """
    shown: list[Row] = []
    behind: list[Row] = []
    has_band = False
    for place, group in enumerate(groups):
        runs = [of_runs[run.id] for run in group.runs.values()]
        most = _POINTS if place < SERIES else _POINTS_BEHIND
        found = [thinned(run[metric], most) for run in runs if metric in run]
        has_band = has_band or (place < SERIES and len(found) > 1)
        for step, (mean, low, high) in band(found).items():
            row: dict[str, Any] = {"name": name_of(group), "x": step, "y": mean}
            if place < SERIES:
                shown.append({**row, "low": low, "high": high})
            else:
                behind.append(row)
    if not shown:
        return None
    names = [name_of(group) for group in groups[:SERIES]]
    return curves(shown, metric, coloured=names, band=has_band, rest=behind)


def effect(factor: Factor, groups: Sequence[Group], measure: Measure) -> alt.LayerChart:
    """Return the settings' means by a factor's values, and the mean for each value."""
    import altair as alt

    means = means_of(factor, groups)
    numeric = factor.is_numeric
    rows = [
        {"x": float(value) if numeric else value, "y": group.mean, "name": name_of(group)}
        for value, group in zip(factor.values, groups, strict=True)
    ]
    line = [{"x": float(v) if numeric else v, "y": means[v]} for v in factor.levels]
    y = alt.Y(
        "y:Q",
        title=None,
        scale=alt.Scale(domain=padded([group.mean for group in groups]), nice=False),
        axis=alt.Axis(format=format_of(measure.name), tickCount=4),
    )
    if numeric:
        ticks = [float(value) for value in factor.levels]
        axis = alt.Axis(values=ticks[:: math.ceil(len(ticks) / _TICKS)], format=".6~g", grid=False)
        scale = scale_for(ticks, nice=False, padding=12)
        x: Any = alt.X("x:Q", title=factor.key, axis=axis, scale=scale)
    else:
        levels = sorted(factor.levels, key=lambda value: -measure.sign * means[value])
        x = alt.X("x:N", title=factor.key, sort=levels, axis=alt.Axis(labelAngle=0))
    tip = alt.Tooltip("y:Q", title=measure.name, format=fine_format_of(measure.name))
    dots = alt.Chart(data_of(rows)).mark_point(style="rest", size=22, opacity=0.75)
    mean = alt.Chart(data_of(line)).mark_line(point={"size": 60}, strokeWidth=1.75)
    layers = (
        dots.encode(x=x, y=y, tooltip=["name:N", tip]),
        mean.encode(
            x=x, y=y, tooltip=[alt.Tooltip("x:Q" if numeric else "x:N", title=factor.key), tip]
        ),
    )
    return framed(*layers, described=f"mean {measure.name} by {factor.key}", height=190)


def heat_map(
    one: Factor, other: Factor, groups: Sequence[Group], measure: Measure
) -> alt.LayerChart:
    """Return the mean over the settings for each pair of values of two factors.

    The best pair has the strongest colour.
    """
    members: dict[tuple[str, str], list[float]] = {}
    for across, down, group in zip(one.values, other.values, groups, strict=True):
        members.setdefault((across, down), []).append(group.mean)
    means = {pair: statistics.fmean(values) for pair, values in members.items()}
    worst, best = sorted((min(means.values()), max(means.values())), key=measure.goodness)
    rows: list[Row] = [
        {"x": across, "y": down, "v": mean, "share": (mean - worst) / ((best - worst) or 1)}
        for (across, down), mean in means.items()
    ]
    return cells(
        rows,
        titles=(one.key, other.key),
        orders=(one.levels, other.levels),
        form=".1%" if measure.is_share else ".3~g",
        value=f"mean {measure.name}",
    )


def parallel_coordinates(
    factors: Sequence[Factor], groups: Sequence[Group], measure: Measure
) -> alt.LayerChart:
    """Return a line for each setting across all factors, coloured by its mean.

    The colours spread over the better half, so that the best can be told apart.
    """
    import altair as alt

    means = [group.mean for group in groups]
    names = dict(zip((f.key for f in factors), short([f.key for f in factors]), strict=True))
    lines: list[Row] = []
    ticks: list[Row] = []
    axes = [axis_of(factor) for factor in factors]
    for factor, (_, marks) in zip(factors, axes, strict=True):
        ticks += [{"k": names[factor.key], "p": p, "t": text} for text, p in marks]
    worst, best = sorted((min(means), max(means)), key=measure.goodness)
    for number in reversed(range(len(groups))):  # the best is drawn last, on top
        told: Row = {"m": means[number], "name": name_of(groups[number])}
        for order, (factor, (places, _)) in enumerate(zip(factors, axes, strict=True)):
            place = places[factor.values[number]]
            lines.append({**told, "i": order, "k": names[factor.key], "p": place})
        end = (means[number] - worst) / ((best - worst) or 1)
        lines.append({**told, "i": len(factors), "k": measure.name, "p": end})
    unit = " %" if measure.is_share else ""
    for p in (0, 0.5, 1):
        value = (worst + p * (best - worst)) * (100 if measure.is_share else 1)
        ticks.append({"k": measure.name, "p": p, "t": f"{value:.4g}{unit}"})
    x = alt.X(
        "k:N",
        title=None,
        sort=[*names.values(), measure.name],
        scale=alt.Scale(type="point", padding=0.35),
        axis=alt.Axis(
            orient="top", labelAngle=0, labelLimit=110, domain=False, ticks=False, labelPadding=12
        ),
    )
    y = alt.Y("p:Q", axis=None, scale=alt.Scale(domain=[-0.04, 1.04], nice=False))
    colour = alt.Color(
        "m:Q",
        legend=None,
        scale=alt.Scale(
            domain=[statistics.median(means), best],
            range="diverging",
            clamp=True,
            interpolate="rgb",
        ),
    )
    tips = ["name:N", alt.Tooltip("m:Q", title=measure.name, format=fine_format_of(measure.name))]
    thin = 1.6 if len(groups) < 40 else 1
    drawn = alt.Chart(data_of(lines)).mark_line(strokeWidth=thin, opacity=0.85)
    keys = data_of({"k": key} for key in [*names.values(), measure.name])
    texts = alt.Chart(data_of(ticks))
    around = texts.mark_text(align="left", dx=5, style="halo", strokeWidth=4)
    inside = texts.mark_text(align="left", dx=5, style="note")
    layers = (
        drawn.encode(x=x, y=y, detail="name:N", order="i:Q", color=colour, tooltip=tips),
        alt.Chart(keys).mark_rule(style="frame").encode(x=x),
        *(text.encode(x=x, y=y, text="t:N") for text in (around, inside)),
    )
    return framed(*layers, described=f"{measure.name} by all varied keys", height=320)


def seconds_by_job(rows: Sequence[Row]) -> alt.LayerChart:
    """Return the training time of each job, in seconds.

    Args:
        rows: with `x` (the job's place), `y` (seconds) and `name`.
    """
    import altair as alt

    tips = ["name:N", alt.Tooltip("y:Q", title="seconds", format=".3~g")]
    x = alt.X("x:Q", title="job", axis=alt.Axis(format="d", tickMinStep=1, grid=False))
    y = alt.Y("y:Q", title="seconds", axis=alt.Axis(tickCount=4))
    dots = alt.Chart(data_of(rows)).mark_point(size=20).encode(x=x, y=y, tooltip=tips)
    return framed(dots, described="training time of each job", height=130)
