"""The colours and fonts of charts and pages, for light and dark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SERIES = 8
"""so many curves have a colour of their own"""
FEW_POINTS = 40
"""a curve of at most so many points shows each of them"""
_SANS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


@dataclass(frozen=True)
class Theme:
    """A set of colours."""

    paper: str
    ink: str
    soft: str
    """of text beside the main text; its contrast with `paper` is at least 4.5"""
    rule: str
    shade: str
    """of the ground of commands and logs"""
    rest: str
    """of curves without a colour of their own"""
    series: tuple[str, ...]
    """of the best settings, the best first"""
    ramp: tuple[str, ...]
    """from a low value to a high value"""
    low_text: str
    """of text on the lower half of `ramp`"""
    high_text: str


LIGHT = Theme(
    paper="#fffefb",
    ink="#1c1b19",
    soft="#5d5a54",
    rule="#dcd8cf",
    shade="#f4f2ec",
    rest="#b9b5ac",
    series=(
        *("#1f5fa8", "#c2491d", "#2a7f5c", "#8a469b"),
        *("#9a7400", "#21869c", "#ad3f66", "#66692a"),
    ),
    ramp=("#eef1f4", "#c3d3e4", "#7fa3c9", "#3f74ac", "#123f73"),
    low_text="#1c1b19",
    high_text="#ffffff",
)
DARK = Theme(
    paper="#161718",
    ink="#e8e6e1",
    soft="#a5a29b",
    rule="#37383a",
    shade="#202123",
    rest="#5c5d5f",
    series=(
        *("#79aeea", "#f08f66", "#69c49c", "#c594d6"),
        *("#d9b94a", "#72cbdf", "#e688a8", "#b6bb6a"),
    ),
    ramp=("#20262d", "#2a4059", "#3b6690", "#6596c8", "#a9cdf5"),
    low_text="#e8e6e1",
    high_text="#10141a",
)


def variables(theme: Theme) -> str:
    """Return the declarations of a theme's colours as variables of CSS."""
    named = {
        **{key: getattr(theme, key) for key in ("paper", "ink", "soft", "rule", "rest", "shade")},
        "link": theme.series[0],
        "warning": theme.series[1],
        **{f"s{number}": colour for number, colour in enumerate(theme.series)},
    }
    return " ".join(f"--{name}: {colour};" for name, colour in named.items())


def config(theme: Theme) -> Mapping[str, Any]:
    """Return Vega-Lite's configuration for a theme; the charts themselves have no colours."""
    return {
        "background": "transparent",
        "font": _SANS,
        "view": {"stroke": None},
        "axis": {
            "labelColor": theme.soft,
            "titleColor": theme.soft,
            "labelFontSize": 11,
            "titleFontSize": 11,
            "titleFontWeight": "normal",
            "domainColor": theme.rule,
            "tickColor": theme.rule,
            "gridColor": theme.rule,
            "gridOpacity": 0.55,
            "labelLimit": 140,
        },
        "legend": {
            "labelColor": theme.soft,
            "titleColor": theme.soft,
            "titleFontWeight": "normal",
        },
        "title": {"color": theme.ink, "fontSize": 12, "fontWeight": 600, "anchor": "start"},
        "line": {"strokeWidth": 1.75, "strokeJoin": "round", "color": theme.series[0]},
        "point": {"filled": True, "opacity": 1, "size": 36, "color": theme.series[0]},
        "bar": {"color": theme.ramp[2]},
        "rule": {"color": theme.soft},
        "text": {"color": theme.ink, "fontSize": 11},
        "range": {
            "category": list(theme.series),
            "ramp": list(theme.ramp),
            "diverging": [theme.rest, theme.series[0]],  # of lines, which a pale ramp would hide
        },
        "style": {
            "rest": {"stroke": theme.rest, "color": theme.rest},
            "frame": {"stroke": theme.soft},
            "label": {"color": theme.ink, "fontSize": 12},
            "note": {"color": theme.soft, "fontSize": 10},
            "halo": {"color": theme.paper, "stroke": theme.paper, "fontSize": 10},
            "low": {"color": theme.low_text, "fontSize": 11},
            "high": {"color": theme.high_text, "fontSize": 11},
        },
    }
