"""Charts: the forms that reports and comparisons share, and files of them."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.errors import InputError
from experiments.files.safe_writes import write_atomically
from experiments.report.scales import (
    Cell,
    fine_format_of,
    finite,
    format_of,
    padded,
    powers_of_ten,
    rounded,
    scale_for,
)
from experiments.report.theme import FEW_POINTS, LIGHT, config

if TYPE_CHECKING:
    import altair as alt

FORMATS = ("png", "svg", "pdf", "html", "json")
_WIDTH = 640  # of a file, in pixels of the usual size
_OPTIONS: Mapping[str, Mapping[str, Any]] = {"html": {"inline": True}, "png": {"ppi": 200}}
_TICKS = 8  # epochs that are all named
_LONG = 1e5  # numbers from here on are written with an exponent

Row = Mapping[str, Cell]


@dataclass(frozen=True)
class Mean:
    """The mean of a setting."""

    name: str
    mean: float
    low: float | None
    """the lower end of the 95 % interval; None without one"""
    high: float | None


def save(chart: alt.TopLevelMixin, path: Path) -> None:
    """Write a chart to a file, in the light theme; the suffix decides the form.

    Raises:
        InputError: the suffix is none of `FORMATS`, or something is in the way.
        RunError: the disk refuses the file.
    """
    form = path.suffix.lower().removeprefix(".")
    if form not in FORMATS:
        allowed = ", ".join(f".{each}" for each in FORMATS)
        raise InputError(f"{path}: has no suffix of a chart's file; end it with one of {allowed}")
    if not path.parent.is_dir():
        raise InputError(f"{path}: there is no folder {path.parent}; make it, or name another one")
    write_atomically(path, drawn(chart, form))


def drawn(chart: alt.TopLevelMixin, form: str) -> bytes:
    """Return a chart in one of `FORMATS`, in the light theme."""
    import altair as alt

    shown: Any = alt.Chart.from_dict(chart.to_dict())
    if shown.width == "container":
        shown.width = _WIDTH
    shown.config = alt.Config.from_dict({**config(LIGHT), "background": LIGHT.paper})
    file = io.BytesIO() if form in {"png", "pdf"} else io.StringIO()
    shown.save(file, format=form, **_OPTIONS.get(form, {}))
    content = file.getvalue()
    return content.encode() if isinstance(content, str) else content


def means_chart(rows: Sequence[Mean], measure: str) -> alt.LayerChart:
    """Return means with their 95 % intervals, a line for each, in the order of the rows.

    Args:
        rows: the name, the mean and the interval of each setting, the best first.
        measure: the name of the metric, for the axis.
    """
    import altair as alt

    data = data_of({"place": place, **asdict(row)} for place, row in enumerate(rows))
    spans = [v for row in rows for v in (row.mean, row.low, row.high) if v is not None]
    across: dict[str, Any] = {
        "title": measure,
        "scale": alt.Scale(domain=padded(spans), nice=False, zero=False),
        "axis": alt.Axis(format=format_of(measure), tickCount=5, orient="top"),
    }
    y = alt.Y("place:O", axis=None)
    tips = [
        alt.Tooltip("name:N", title="setting"),
        alt.Tooltip("mean:Q", format=fine_format_of(measure)),
        alt.Tooltip("low:Q", format=fine_format_of(measure), title="95 % from"),
        alt.Tooltip("high:Q", format=fine_format_of(measure), title="to"),
    ]
    base = alt.Chart(data).encode(y=y)
    layers = (
        base.mark_text(align="left", baseline="bottom", dy=-1, style="label").encode(
            x=alt.value(0), text="name:N"
        ),
        base.mark_rule(yOffset=8, strokeWidth=1.5)
        .transform_filter("isValid(datum.low)")
        .encode(x=alt.X("low:Q", **across), x2="high:Q", tooltip=tips),
        base.mark_point(yOffset=8, size=55).encode(x=alt.X("mean:Q", **across), tooltip=tips),
    )
    described = f"Mean {measure} of {len(rows)} settings, the best first, with 95 % intervals"
    return framed(*layers, described=described, height=40 * len(rows))


def curves(
    rows: Iterable[Row],
    metric: str,
    *,
    coloured: Sequence[str],
    band: bool = False,
    rest: Iterable[Row] = (),
) -> alt.LayerChart:
    """Return a metric by epoch, a curve for each name.

    Args:
        rows: with `name`, `x` (epoch) and `y`; with a band also `low` and `high`.
        metric: the name of the metric.
        coloured: the names, in the order of their colours.
        band: whether to draw the band from `low` to `high`.
        rest: rows of curves that are drawn behind in grey.
    """
    import altair as alt

    shown, behind = list(rows), list(rest)
    values = [row["y"] for row in [*shown, *behind]]
    scale = scale_for(values if metric.endswith("loss") else [])
    epochs = sorted({row["x"] for row in [*shown, *behind] if isinstance(row["x"], int)})
    ticks = {"values": epochs} if len(epochs) <= _TICKS else {"tickMinStep": 1}
    x = alt.X("x:Q", title="epoch", axis=alt.Axis(format="d", grid=False, **ticks))
    form = "~e" if max(finite(values), default=0) >= _LONG else format_of(metric)
    marks: dict[str, Any] = {"tickCount": 5}
    if scale.type == "log":
        marks = {"values": powers_of_ten(values)}  # Vega would draw nine lines in each decade
    y = alt.Y("y:Q", title=None, scale=scale, axis=alt.Axis(format=form, **marks))
    names = list(coloured)
    colour = alt.Color("name:N", scale=alt.Scale(domain=names), legend=None)
    tips = ["name:N", alt.Tooltip("x:Q", title="epoch")]
    tips.append(alt.Tooltip("y:Q", title=metric, format=fine_format_of(metric)))
    layers: list[Any] = []
    if behind:
        grey = alt.Chart(data_of(behind)).mark_line(style="rest", strokeWidth=1, opacity=0.6)
        layers.append(grey.encode(x=x, y=y, detail="name:N", tooltip=tips))
    base = alt.Chart(data_of(shown))
    if band:
        area = base.mark_area(opacity=0.16).encode(x=x, y=alt.Y("low:Q", scale=scale), y2="high:Q")
        layers.append(area.encode(color=colour))
    longest = max((sum(1 for row in shown if row["name"] == name) for name in names), default=0)
    line = base.mark_line(point={"size": 24} if longest <= FEW_POINTS else False)
    layers.append(line.encode(x=x, y=y, color=colour, tooltip=tips))
    return framed(*layers, described=f"{metric} by epoch", height=230)


def cells(
    rows: Iterable[Row],
    *,
    titles: tuple[str, str],
    orders: tuple[Sequence[str], Sequence[str]],
    form: str,
    value: str,
    square: bool = False,
) -> alt.LayerChart:
    """Return a table of coloured cells, with their values as long as they fit.

    Args:
        rows: with `x`, `y`, `v` (the number) and `share` (the place on the colours, 0 to 1).
        titles: of x and y.
        orders: the values of x and of y in their order.
        form: the number's form, in the language of d3.
        value: the number's name.
        square: whether the cells are as high as in a square of the usual width.
    """
    import altair as alt

    across, down = (len(order) for order in orders)
    x = alt.X(
        "x:N",
        title=titles[0],
        sort=list(orders[0]),
        axis=alt.Axis(labelAngle=0, orient="top", domain=False, ticks=False),
    )
    y = alt.Y(
        "y:N", title=titles[1], sort=list(orders[1]), axis=alt.Axis(domain=False, ticks=False)
    )
    tips = [alt.Tooltip("y:N", title=titles[1]), alt.Tooltip("x:N", title=titles[0])]
    tips.append(alt.Tooltip("v:Q", title=value, format=form))
    colour = alt.Color(
        "share:Q", scale=alt.Scale(domain=[0, 1], range="ramp"), legend=None, title=value
    )
    base = alt.Chart(data_of(rows)).encode(x=x, y=y)
    layers: list[Any] = [base.mark_rect(cornerRadius=1).encode(color=colour, tooltip=tips)]
    if across <= 12:
        for style, chosen in (("low", "datum.share < 0.5"), ("high", "datum.share >= 0.5")):
            text = base.mark_text(style=style).transform_filter(chosen)
            layers.append(text.encode(text=alt.Text("v:Q", format=form)))
    height = 340 if square else down * (30 if down <= 12 else 14)
    described = f"{value} by {titles[1]} and {titles[0]}"
    return framed(*layers, described=described, height=height)


def framed(*layers: alt.Chart, described: str, height: int) -> alt.LayerChart:
    """Return layers as a chart as wide as its place on the page, described for screen readers."""
    import altair as alt

    return alt.LayerChart(
        layer=list(layers),
        width="container",
        height=height,
        autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
        description=described,
    )


def data_of(rows: Iterable[Row]) -> alt.InlineData:
    """Return rows as inline data; `alt.Chart` limits the rows of other forms."""
    import altair as alt

    return alt.InlineData(values=[{key: rounded(v) for key, v in row.items()} for row in rows])
