"""`experiments evaluate` prints scores, and refuses mistakes in one line."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from experiments import journal
from experiments.cli.evaluating import evaluate
from experiments.errors import InputError
from experiments.inference.trained import Trained
from tests.conftest import PROJECT

pytestmark = pytest.mark.xdist_group("inference")


@pytest.fixture(autouse=True)
def outputs(seeds_sweep: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(PROJECT)  # --data needs a conf
    return seeds_sweep / "outputs"


def test_a_run_is_evaluated_as_data(
    members: Sequence[Trained], root: str, capsys: pytest.CaptureFixture[str], outputs: Path
) -> None:
    evaluate(
        members[0].id,
        [f"data.root={root}"],
        data=["digits"],
        corruptions="scale,rotate",
        severity=[4, 2, 4],
        as_json=True,
        outputs=outputs,
    )
    told = json.loads(capsys.readouterr().out)
    assert told["runs"] == [members[0].id]
    (one,) = told["sets"]
    accuracy = journal.history(members[0].folder).metrics["test_accuracy"]
    assert one["clean"]["accuracy"] == pytest.approx(accuracy)
    assert one["clean"]["runs"] == [{key: one["clean"][key] for key in ("accuracy", "loss")}]
    assert {name: list(each) for name, each in one["corruptions"].items()} == {
        "scale": ["2", "4"],
        "rotate": ["2", "4"],
    }
    errors = [1 - s["accuracy"] for each in one["corruptions"].values() for s in each.values()]
    assert one["mean_corruption_error"] == pytest.approx(sum(errors) / 4)


def test_a_sweep_is_evaluated_in_words(capsys: pytest.CaptureFixture[str], outputs: Path) -> None:
    evaluate(str(outputs / "sweep"), corruptions="contrast", severity=[1], outputs=outputs)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "ensemble of 3 runs, test set of Digits, 297 images"
    assert [line.split()[0] for line in lines[1:5]] == ["mean", "best", "ensemble", "loss"]
    assert "points against the mean" in lines[3]
    assert lines[6] == "Accuracy in % by severity, seed 0"
    assert lines[7].split() == ["corruption", "1", "mean", "mean", "loss"]
    name, accuracy, mean, _ = lines[8].split()
    assert (name, accuracy) == ("contrast", mean)
    error = f"{100 - float(mean):.2f}"
    assert lines[10].startswith(f"Mean corruption error {error} %, error without corruption ")


MISTAKES = {
    "no run": ({"run": "nowhere"}, "nowhere: no run in "),
    "no corruption": ({"corruptions": "fog"}, "--corruptions=fog: there is no such corruption; c"),
    "no severity": ({"corruptions": "all", "severity": [6]}, "--severity=6: choose 1, 2, 3, 4 or"),
    "a severity of nothing": ({"severity": [1]}, "--severity=1: is for --corruptions; add"),
    "a seed of nothing": ({"seed": 0}, "--seed=0: is for --corruptions; add --corruptions all"),
    "no data": ({"data": ["cifar"]}, "data=cifar: there is no such option; data is one of digits"),
    "an override of nothing": ({"overrides": ["data.root=x"]}, "data.root=x: is for --data,"),
    "a wrong override": ({"data": ["digits"], "overrides": ["data.rot=x"]}, "data.rot: unknown k"),
}


@pytest.mark.parametrize(("arguments", "said"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_refused(
    members: Sequence[Trained], outputs: Path, arguments: dict[str, object], said: str
) -> None:
    with pytest.raises(InputError) as caught:
        evaluate(**{"run": members[0].id, "outputs": outputs, **arguments})  # type: ignore[arg-type]
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


def test_other_data_needs_a_project(
    members: Sequence[Trained], outputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="--data=digits: neither this folder nor one above it"):
        evaluate(members[0].id, data=["digits"], outputs=outputs)
