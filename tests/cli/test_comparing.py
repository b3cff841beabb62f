"""`experiments compare` on real runs: the sweep's own verdict again, from the journals alone."""

from __future__ import annotations

import re
import statistics

import pytest

from tests.cli.conftest import Lab

pytestmark = pytest.mark.xdist_group("lab")


def test_it_ranks_as_the_sweep_itself(made_lab: Lab) -> None:
    (sweep,) = made_lab.data("ls", "--sweeps")
    (verdict,) = made_lab.folder.glob("outputs/*/*_sweep/verdict.txt")
    told = verdict.read_text()
    text = made_lab.output("compare", f"sweep={sweep['id']}")
    figures = [line.split("  ")[1].strip() for line in text.splitlines()[1:3]]
    assert [f"lr={value}" in figure for value, figure in zip((0.01, 0.1), figures, strict=True)]
    for sentence in ("1 and 2 cannot be told apart with 2 seeds", "1 leads 2 by "):
        (own,) = [line.strip() for line in text.splitlines() if sentence in line]
        assert own in told


def test_its_figures_are_those_of_the_runs(made_lab: Lab) -> None:
    (sweep,) = made_lab.data("ls", "--sweeps")
    chosen = f"sweep={sweep['id']}"
    runs = made_lab.data("ls", chosen)
    found = made_lab.data("compare", chosen, "--metric", "test_loss", "-g", "optimizer.lr")
    assert found["metric"] == "test_loss"
    for group in found["groups"]:
        rate = float(group["values"]["optimizer.lr"])
        losses = [r["metrics"]["test_loss"] for r in runs if r["params"]["optimizer.lr"] == rate]
        assert group["mean"] == pytest.approx(statistics.fmean(losses), rel=1e-12)
        assert group["std"] == pytest.approx(statistics.stdev(losses), rel=1e-12)
        assert group["n"] == 2
    means = [group["mean"] for group in found["groups"]]
    assert means == sorted(means)  # a lower loss is better


def test_groups_tell_what_else_differs_in_them(made_lab: Lab) -> None:
    (sweep,) = made_lab.data("ls", "--sweeps")
    text = made_lab.output("compare", f"sweep={sweep['id']}", "--group-by", "seed")
    assert "The runs of a group also differ in optimizer.lr" in text
    assert "paired by run" in text


def test_a_diverged_run_ranks_last(made_lab: Lab) -> None:
    lines = made_lab.output("compare").splitlines()
    (diverged,) = [line for line in lines if "(1 diverged)" in line]
    places = [line for line in lines if re.match(r" *\d+\. ", line)]
    assert places[-1] == diverged
    assert any("ranks last because of diverged runs" in line for line in lines)
    assert any(line.startswith("Left out: 1 without a result") for line in lines)
