"""The page: one HTML file with its style and script, and nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from experiments.catalog.texts import as_share
from experiments.demo.recogniser import SIDE, Recogniser
from experiments.inference.trained import Trained
from experiments.redaction.hide import hidden_data
from experiments.report.templating import digest, environment, source
from experiments.report.theme import DARK, LIGHT, variables
from experiments.robustness.recorded import recorded_accuracy

_PACKAGE = "experiments.demo"


@dataclass(frozen=True)
class Page:
    """The page, and the policy that lets it run and load nothing else."""

    html: str
    policy: str
    """the value of the header `Content-Security-Policy`"""


def page(recogniser: Recogniser) -> Page:
    """Return the page about the runs of a recogniser."""
    templates = environment(_PACKAGE)
    style = templates.get_template("page.css").render(light=variables(LIGHT), dark=variables(DARK))
    script = source(_PACKAGE, "page.js")
    members = recogniser.members
    channels, height, width = members[0].shape
    told = {
        "names": recogniser.names,
        "side": SIDE,
        "channels": channels,
        "height": height,
        "width": width,
    }
    html = templates.get_template("page.html").render(
        style=Markup(style),  # noqa: S704  (the package's own text)
        script=Markup(script),  # noqa: S704
        told=told,
        box=recogniser.box,
        digits=all(name.isdigit() for name in recogniser.names),
        **hidden_data({"title": title(members), "facts": facts(members)}),
    )
    policy = (
        f"default-src 'none'; script-src {digest(script)}; style-src {digest(style)}; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
    return Page(html, policy)


def title(members: Sequence[Trained]) -> str:
    """Return the name of a run; of several runs, their number."""
    return members[0].name if len(members) == 1 else f"{len(members)} runs together"


def facts(members: Sequence[Trained]) -> str:
    """Return one line: the ids of the runs and their accuracy on the test images."""
    ids = ", ".join(member.short for member in members)
    recorded = (recorded_accuracy(member.folder) for member in members)
    accuracies = [each for each in recorded if each is not None]
    told = "no test accuracy recorded"
    if accuracies:
        ends = dict.fromkeys(as_share(each) for each in (min(accuracies), max(accuracies)))
        told = f"test accuracy {' to '.join(ends)}"
    if len(members) == 1:
        return f"Run {ids}, {told}."
    return f"An ensemble: the mean of the probabilities of {ids}. Each alone: {told}."
