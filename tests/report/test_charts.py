"""Charts are files of each form, and scales follow their values."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from experiments.errors import InputError
from experiments.report.charts import FORMATS, Mean, means_chart, save
from experiments.report.points import band, thinned
from experiments.report.scales import powers_of_ten, rounded, scale_of

BEGINNINGS = {
    "png": b"\x89PNG",
    "svg": b"<svg",
    "pdf": b"%PDF",
    "html": b"<!DOCTYPE html>",
    "json": b"{",
}
MEANS = [Mean("lr=0.1", 0.95, 0.9, 1.0), Mean("lr=0.01", 0.9, None, None)]


@pytest.mark.parametrize("form", FORMATS)
def test_a_chart_is_saved_in_each_form(form: str, tmp_path: Path) -> None:
    path = tmp_path / f"chart.{form}"
    save(means_chart(MEANS, "test accuracy"), path)
    content = path.read_bytes()
    assert content.startswith(BEGINNINGS[form])
    if form in {"svg", "html", "json"}:
        assert content.index(b"lr=0.1") < content.index(b"lr=0.01")
    if form == "html":
        assert b"src=" not in content.partition(b"<script")[0]
        assert b"https://cdn" not in content


def test_a_chart_of_compare_has_the_intervals_in_order(tmp_path: Path) -> None:
    save(means_chart(MEANS, "test accuracy"), tmp_path / "chart.json")
    spec = json.loads((tmp_path / "chart.json").read_text())
    (rows,) = spec["datasets"].values() if "datasets" in spec else (spec["layer"][0]["data"],)
    values = rows["values"] if isinstance(rows, dict) else rows
    assert [row["name"] for row in values] == ["lr=0.1", "lr=0.01"]
    assert (values[0]["low"], values[1]["low"]) == (0.9, None)


MISTAKES = {
    "chart.gif": "has no suffix of a chart's file; end it with one of .png, .svg, .pdf",
    "chart": "has no suffix",
    "nowhere/chart.png": "there is no folder nowhere; make it",
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_wrong_name_is_refused(name: str) -> None:
    with pytest.raises(InputError) as caught:
        save(means_chart(MEANS, "test accuracy"), Path(name))
    assert MISTAKES[name] in str(caught.value)
    assert str(caught.value).startswith(name)


def test_values_that_span_a_factor_of_30_get_a_logarithm() -> None:
    assert scale_of([0.001, 0.1]) == "log"
    assert scale_of([16, 128]) == "linear"
    assert scale_of([0.0, 1000.0]) == "linear"
    assert scale_of([1.0, math.inf, None]) == "linear"
    assert scale_of([]) == "linear"


def test_numbers_are_rounded_and_finite() -> None:
    assert rounded(0.956666) == 0.9567
    assert rounded(123456.7) == 123500.0
    assert rounded(7) == 7
    assert rounded(math.nan) is None
    assert rounded("0.956666") == "0.956666"


def test_a_thinned_curve_keeps_its_last_point() -> None:
    curve = {step: step / 10 for step in range(1, 1001)}
    thin = thinned(curve, 60)
    assert len(thin) <= 60
    assert 1000 in thin
    assert thin.items() <= curve.items()
    assert thinned(curve, 1000) == curve


def test_a_band_holds_the_seeds_that_have_a_value() -> None:
    found = band([{1: 1.0, 2: 2.0}, {1: 3.0, 2: math.nan, 3: math.inf}])
    assert found == {1: (2.0, 1.0, 3.0), 2: (2.0, 2.0, 2.0)}


def test_a_logarithmic_axis_names_few_powers_of_ten() -> None:
    assert powers_of_ten([0.02, 3.0]) == pytest.approx([0.01, 0.1, 1, 10])
    assert powers_of_ten([1e-3, math.nan, 1e30])[:2] == pytest.approx([1e-3, 1e3])
    assert len(powers_of_ten([1e-3, 1e30])) <= 7
