"""Reports in a real browser without network: nothing is loaded, nothing complains, all fits."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Request

from experiments.report.keep import page_of
from tests.conftest import cases
from tests.report.conftest import Sweeps, found
from tests.report.made_up import made_up_sweep

pytestmark = pytest.mark.xdist_group("sweeps")

HOSTILE = "</script><script>document.title='owned'</script><img src=x onerror=\"alert(1)\">{{7*7}}"
VIEWS = {
    "phone, dark": (390, "dark"),
    "screen, light": (1440, "light"),
    "phone, light": (390, "light"),
    "screen, dark": (1440, "dark"),
}


def opened(chromium: Browser, page: str, folder: Path, width: int, scheme: str) -> dict[str, int]:
    """Open a page as a file; assert that it is quiet and fits; return the colours of its ground."""
    path = folder / "report.html"
    path.write_text(page)
    context = chromium.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,  # type: ignore[arg-type]
        offline=True,
    )
    tab = context.new_page()
    asked: list[Request] = []
    said: list[ConsoleMessage] = []
    errors: list[Exception] = []
    tab.on("request", lambda request: asked.append(request))
    tab.on("console", lambda message: said.append(message))
    tab.on("pageerror", lambda error: errors.append(error))
    tab.goto(path.as_uri())
    tab.locator(f"html[data-drawn={scheme}]").wait_for(state="attached")
    assert [request.url for request in asked if not request.url.startswith("data:image/png")] == [
        path.as_uri()
    ]
    assert [(message.type, message.text) for message in said] == []
    assert errors == []
    places = tab.locator(".chart")
    drawn = tab.locator(".chart svg path, .chart svg text")
    assert places.count() == tab.locator(".chart svg").count()
    assert drawn.count() >= places.count()
    assert tab.evaluate("document.documentElement.scrollWidth") == width
    too_wide = "svg => svg.getBoundingClientRect().right > innerWidth + 1"
    assert not tab.locator(".chart svg").evaluate_all(f"all => all.some({too_wide})")
    images = "all => all.every(image => image.naturalWidth > 0)"
    assert tab.locator("img").evaluate_all(images)
    ground = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    facts = {"dark": int(ground.removeprefix("rgb(").split(",")[0]), "charts": places.count()}
    facts["owned"] = int(tab.title() == "owned")
    context.close()
    return facts


@pytest.mark.parametrize(("width", "scheme"), cases(VIEWS, usual=1))
def test_reports_of_sweeps_and_runs_are_quiet_and_fit(
    sweeps: Sweeps, chromium: Browser, tmp_path: Path, width: int, scheme: str
) -> None:
    charts = {
        sweeps.good: 9,  # means, 3 curves, 2 effects, heat map, parallel coordinates, seconds
        sweeps.good / "0": 3,
        sweeps.bad: 1,
        sweeps.bad / "1": 0,
        sweeps.bad / "2": 0,
    }
    for folder, least in charts.items():
        facts = opened(chromium, page_of(found(folder)), tmp_path, width, scheme)
        assert facts["charts"] >= least
        assert (facts["dark"] < 128) == (scheme == "dark")


def test_names_of_the_user_are_text(chromium: Browser, tmp_path: Path) -> None:
    folder = made_up_sweep(tmp_path / "sweep", 20, 3, HOSTILE)
    for place in (folder, folder / "0"):
        page = page_of(found(place))
        assert HOSTILE not in page
        assert opened(chromium, page, tmp_path, 390, "light")["owned"] == 0


@pytest.mark.slow
def test_a_report_of_200_jobs_is_small(chromium: Browser, tmp_path: Path) -> None:
    page = page_of(found(made_up_sweep(tmp_path / "sweep", 200, 100)))
    assert len(page.encode()) < 3_000_000
    opened(chromium, page, tmp_path, 1440, "light")
