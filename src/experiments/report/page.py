"""One self-contained HTML page: text from a template, charts by Vega, nothing from the network."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from experiments.redaction.hide import hidden_data
from experiments.report.templating import digest, environment, source
from experiments.report.theme import DARK, LIGHT, SERIES, config, variables

if TYPE_CHECKING:
    import altair as alt

NAME = "report.html"
"""the file in the folder of a run or a sweep, and the artifact in MLflow"""
_PACKAGE = "experiments.report"


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
    colours = {"light": variables(LIGHT), "dark": variables(DARK), "series": SERIES}
    page = environment(_PACKAGE).get_template(template)
    return page.render(
        css=Markup(_text("page.css", **colours)),  # noqa: S704  (the package's own text)
        script=Markup(script),  # noqa: S704  (Vega and page.js)
        policy=f"default-src 'none'; script-src {digest(script)}; "
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
    script = vl_convert.javascript_bundle(source(_PACKAGE, "page.js"), vl_version=version)
    # A browser would turn other line ends into \n, which changes the checksum in the policy.
    return str(script).replace("\r\n", "\n").replace("\r", "\n").replace("</script", "<\\/script")


def _spec(chart: alt.TopLevelMixin) -> dict[str, Any]:
    spec = dict(chart.to_dict())
    spec.pop("config", None)  # altair's defaults; the page has its own
    return spec


def _text(name: str, **values: Any) -> str:
    return environment(_PACKAGE).get_template(name).render(values)
