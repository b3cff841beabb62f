"""Sweeps rank by the objective of their jobs: minimised as well as maximised, and one at a time."""

from __future__ import annotations

import json
import math
import random
import re
from pathlib import Path

import numpy as np
import pytest

from experiments import journal
from experiments.registry.objective import ACCURACY, Objective
from experiments.sweep.outcomes import Outcome
from experiments.sweep.settings import rank
from experiments.sweep.verdict import Verdict, judge, sentences
from experiments.sweep.verdict_text import as_lines, as_markdown
from experiments.sweep.view import View
from tests.sweep.conftest import Sweep, training
from tests.sweep.made_up import LOSS, Values, job, results

GAIN = Objective("gain", "maximize")
LOSSES = {
    "m.lr=1": [0.101, 0.098, 0.104, 0.099],
    "m.lr=2": [0.103, 0.099, 0.101, 0.102],
    "m.lr=3": [0.301, 0.299, 0.302, 0.300],
}


def drawn(seed: int) -> dict[str, list[float | None]]:
    """Return losses of a sweep over two keys, some of them diverged, failed or infinite."""
    numbers = random.Random(seed)
    spread = 10 ** numbers.uniform(-3, 0)
    table: dict[str, list[float | None]] = {}
    for lr in range(3):
        for name in "ab":
            values = [numbers.gauss(lr + (name == "b"), spread) for _ in range(4)]
            odd = numbers.choice([math.nan, math.inf, None, 0.5, 0.5, 0.5])
            table[f"m.lr={lr} o={name}"] = [*values, odd]
    return table


def negated(values: Values) -> dict[str, list[float | None]]:
    return {key: [None if v is None else -v for v in row] for key, row in values.items()}


def names(verdict: Verdict) -> list[str]:
    return [setting.name for setting in verdict.ranking.settings]


@pytest.mark.parametrize("seed", range(20))
def test_a_minimised_objective_is_its_negative_maximised(seed: int) -> None:
    table = drawn(seed)
    split = tuple(table) if seed % 2 else ()
    made = results(table, split=split, objective=LOSS)
    loss = judge(made)
    gain = judge(results(negated(table), split=split, objective=GAIN))
    assert names(loss) == names(gain)
    for one, other in zip(loss.ranking.settings, gain.ranking.settings, strict=True):
        assert one.mean == pytest.approx(-other.mean, nan_ok=True)
        assert one.deviation == pytest.approx(other.deviation, nan_ok=True)
        assert one.notes == other.notes
    mirrored = [each and (-each[1], -each[0]) for each in gain.intervals]
    for ours, theirs in zip(loss.intervals, mirrored, strict=True):
        assert ours == (theirs and pytest.approx(theirs))
    assert (loss.comparison is None) == (gain.comparison is None)
    if loss.comparison and gain.comparison:
        assert np.array_equal(loss.comparison.p_value, gain.comparison.p_value, equal_nan=True)
        assert np.array_equal(loss.comparison.worse, gain.comparison.worse)
    for ours, theirs in zip(loss.effects, gain.effects, strict=True):
        assert (ours.key, ours.share) == (theirs.key, pytest.approx(theirs.share))
        assert [value for value, _ in ours.means] == [value for value, _ in theirs.means]
    mine, its = loss.ranking.representative, gain.ranking.representative
    assert (mine and mine.job.number) == (its and its.job.number)
    shuffled = random.Random(seed).sample(made, len(made))
    assert rank(shuffled) == loss.ranking


def test_the_smallest_loss_is_the_best_in_every_sentence() -> None:
    verdict = judge(results(LOSSES, split=tuple(LOSSES), objective=LOSS))
    text = "\n".join(line.text for line in as_lines(verdict))
    assert text.startswith("The best by validation loss:\n   1. 0.1005 ± 0.0026, 0.09629 to 0.1047")
    assert "1 and 2 cannot be told apart with 4 seeds; 3 is worse" in text
    assert re.search(r"1 leads 2 by 0\.0007500, 95 % interval -0\.\d{6} to 0\.\d{6} \(", text)
    assert "Test loss of 1: 0.09050 ± 0.0026 (n=4)" in text
    assert "%" not in text.replace("95 % interval", "").replace("5 % level", "").replace("80 %", "")
    assert "| 1 | lr=1 | 0.1005 | 0.0026 | 4 | 0.09629 to 0.1047 | the best |" in as_markdown(
        verdict, {"jobs": 12}, ""
    )


def test_an_infinite_loss_comes_last_and_is_told() -> None:
    verdict = judge(results({"m.lr=1": [0.1, math.inf], "m.lr=2": [0.9, 0.8]}, objective=LOSS))
    assert names(verdict) == ["lr=2", "lr=1"]
    assert verdict.ranking.settings[1].notes == ("1 of 2 without a finite value",)
    assert "2 ranks last because of runs without a finite value" in list(sentences(verdict))


def test_only_accuracies_have_a_rounding_error_and_a_range() -> None:
    same = {"m.lr=1": [0.5, 0.5], "m.lr=2": [0.25, 0.75]}
    for objective, ends in ((ACCURACY, (0, 1)), (LOSS, None)):
        verdict = judge(results(same, objective=objective))
        found = dict(zip(names(verdict), verdict.intervals, strict=True))
        assert found["lr=2"] == (ends or pytest.approx((0.5 - 3.1766, 0.5 + 3.1766), rel=1e-4))
        assert (found["lr=1"] is None) == (objective == LOSS)


def test_a_scale_changes_no_statistics() -> None:
    tiny = {key: [v * 1e-12 for v in row] for key, row in LOSSES.items()}
    one, other = (judge(results(table, objective=LOSS)).comparison for table in (LOSSES, tiny))
    assert one is not None
    assert other is not None
    assert other.p_value == pytest.approx(one.p_value)


def test_one_objective_ranks_and_the_others_are_told() -> None:
    table = {"task.objective=accuracy o=1": [0.9], "task.objective=accuracy o=2": [0.8]}
    verdict = judge(results(table | {"task.objective=loss o=1": [0.1]}))
    assert verdict.ranking.measure.name == "test accuracy"
    assert len(verdict.ranking.settings) == 2
    said = "1 setting with the objective loss is not ranked: loss cannot be compared with accuracy"
    assert said in list(sentences(verdict))


@pytest.mark.parametrize(
    ("key", "is_told"), [("task.loss.label_smoothing", True), ("task", True), ("m.lr", False)]
)
def test_losses_of_different_loss_functions_are_not_trusted(key: str, *, is_told: bool) -> None:
    told = "The runs differ in their loss function, so their losses measure different things"
    table = {f"{key}=0.1": [0.1], f"{key}=0.2": [0.2]}
    assert (told in list(sentences(judge(results(table, objective=LOSS))))) == is_told
    assert told not in list(sentences(judge(results(table))))


def test_the_view_leads_with_the_smallest_loss_beside_other_objectives(tmp_path: Path) -> None:
    settings = ("m.lr=1", "m.lr=2", "task.objective=accuracy")
    kinds = dict(zip(settings, (LOSS, LOSS, ACCURACY), strict=True))
    jobs = [job(n, each, objective=kinds[each]) for n, each in enumerate(settings)]
    view = View(jobs, tmp_path)
    told = [
        (0, 0.5, "green", "loss 0.5000", "leading: lr=1 loss 0.5000 (n=1)"),
        (1, 0.25, "green", "loss 0.2500", "leading: lr=2 loss 0.2500 (n=1)"),
        (2, 0.125, "green", "12.50 %", "leading: lr=2 loss 0.2500 (n=1)"),
    ]
    for number, value, colour, text, leader in told:
        line = view.note(Outcome(number, "finished", objective=value))
        assert (line.style, view.leader()) == (colour, leader)
        assert f"finished, {text}," in line.plain
    assert view.note(Outcome(0, "finished", objective=math.inf)).style == "yellow"


def test_a_real_sweep_has_the_objective_of_each_job(sweep: Sweep) -> None:
    # Without a metric that steers them, the two would be one run.
    steered = ("data.validation_size=200", "trainer.patience=5", "tracking=none")
    done = sweep.run("task.objective=loss,accuracy", *steered)
    assert done.returncode == 0, done.stderr
    (folder,) = sweep.folders
    for place in training(sweep):
        past = journal.history(place)
        (file,) = folder.glob(f".jobs/**/{place.name}.json")
        name = past.start["tags"]["objective"]
        assert json.loads(file.read_text())["objective"] == past.metrics[f"val_{name}"]
    tags = journal.history(folder).start["tags"]
    assert (tags["objective"], tags["objective_direction"]) == ("loss", "minimize")
    assert "1 setting with the objective accuracy is not ranked" in done.stdout
