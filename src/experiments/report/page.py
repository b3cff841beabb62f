"""One self-contained HTML page: text from a template, charts by Vega, nothing from the network."""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Mapping
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from experiments.redaction.hide import hidden_data
from experiments.report.theme import DARK, LIGHT, SERIES, config, variables

if TYPE_CHECKING:
    import altair as alt
    from jinja2 import Environment

NAME = "report.html"
"""the file in the folder of a run or a sweep, and the artifact in MLflow"""
_TEMPLATES = files("experiments.report") / "templates"


def render(template: str, charts: Mapping[str, alt.TopLevelMixin], **content: Any) -> str:
    """Return a page.

    The page may run no script but its own, and may load nothing: its policy forbids both. Secrets
    in its texts are hidden.

    Args:
        template: the name of its template.
        charts: the charts by the id of their place.
        content: the values that the template names.
    """
    from markupsafe import Markup

    script = bundle()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    colours = {"light": variables(LIGHT), "dark": variables(DARK), "series": SERIES}
    page = _environment().get_template(template)
    return page.render(
        css=Markup(_text("page.css", **colours)),  # noqa: S704  (the package's own text)
        script=Markup(script),  # noqa: S704  (Vega and page.js)
        policy=f"default-src 'none'; script-src 'sha256-{digest}'; "
        "style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'",
        parts={
            "charts": {name: _spec(chart) for name, chart in charts.items()},
            "light": config(LIGHT),
            "dark": config(DARK),
        },
        drawn=frozenset(charts),
        **hidden_data(content),
    )


@functools.cache
def bundle() -> str:
    """Return Vega, Vega-Lite, Vega-Embed and the script of the page, as one script."""
    import altair
    import vl_convert

    version = "v" + ".".join(altair.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
    script = vl_convert.javascript_bundle(_source("page.js"), vl_version=version)
    # A browser would turn other line ends into \n, which changes the checksum in the policy.
    return str(script).replace("\r\n", "\n").replace("\r", "\n").replace("</script", "<\\/script")


def _spec(chart: alt.TopLevelMixin) -> dict[str, Any]:
    spec = dict(chart.to_dict())
    spec.pop("config", None)  # altair's defaults; the page has its own
    return spec


@functools.cache
def _environment() -> Environment:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FunctionLoader(_source),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _text(name: str, **values: Any) -> str:
    return _environment().get_template(name).render(values)


def _source(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")
