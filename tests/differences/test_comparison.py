"""A comparison names each difference of two runs, and nothing that does not differ."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file, save_file

from experiments.differences.comparison import Comparison, compare
from tests.conftest import EXPERIMENTS, forked
from tests.differences.made_up import POINTS, run


def section(found: Comparison, name: str) -> Any:
    (one,) = (each for each in found.sections if each.name == name)
    return one


def differing(found: Comparison) -> set[str]:
    return {each.name for each in found.sections if each.says}


def test_a_run_is_itself(tmp_path: Path) -> None:
    one = run(tmp_path / "a")
    assert compare(one, one).sentence == "The same run"


def test_times_and_places_do_not_count(tmp_path: Path) -> None:
    points = {step: {**metrics, "epoch_seconds": 9.0} for step, metrics in POINTS.items()}
    found = compare(run(tmp_path / "a"), run(tmp_path / "b", points=points))
    assert found.sentence == (
        "Equal to the bit: the same identity, 2 metric points and the weights"
    )
    assert differing(found) == {"configuration"}
    assert [row["key"] for row in section(found, "configuration").rows] == ["data.root"]


def test_one_bit_of_one_point_is_found(tmp_path: Path) -> None:
    value = math.nextafter(0.25, 1)
    points = POINTS | {2: {"train_loss": value}}
    found = compare(run(tmp_path / "a"), run(tmp_path / "b", points=points))
    assert found.sentence.startswith(
        "The same identity, but different results: train_loss differs at step 2"
    )
    (row,) = section(found, "curves").rows
    assert row["first difference at step"] == row["at step"] == 2
    assert row["largest difference"] == value - 0.25


def test_nan_equals_nan(tmp_path: Path) -> None:
    points = {1: {"train_loss": math.nan}}
    found = compare(run(tmp_path / "a", points=points), run(tmp_path / "b", points=points))
    assert found.sentence.startswith("Equal to the bit")


def test_a_run_that_died_has_a_part_of_the_points(tmp_path: Path) -> None:
    whole = run(tmp_path / "a")
    part = run(tmp_path / "b", points={1: POINTS[1]}, status=None)
    assert compare(whole, part).sentence == (
        "The same identity, and equal to the bit as far as b got"
    )


INGREDIENTS = {
    "optimizer.lr": {"lr": 0.2},
    "the source of own": {"source": {"experiments": "a" * 64, "own": "d" * 64}},
    "the data": {"data_sha256": "d" * 64},
    "the device (cpu → NVIDIA H100)": {"device": "NVIDIA H100"},
    "the version of torch (2.15.0 → 2.14.0)": {"versions": {"python": "3.11.7", "torch": "2.14.0"}},
}


@pytest.mark.parametrize(("named", "changed"), INGREDIENTS.items(), ids=INGREDIENTS)
def test_each_ingredient_is_named(tmp_path: Path, named: str, changed: dict[str, Any]) -> None:
    found = compare(run(tmp_path / "a"), run(tmp_path / "b", **changed))
    assert found.sentence == (
        f"Differ in {named}; the results are equal to the bit: 2 metric points and the weights"
    )


def test_a_hashed_value_is_compared_with_a_plain_one(tmp_path: Path) -> None:
    from experiments.identity.canonical import sha256_of_data

    def hashed(value: float) -> dict[str, Any]:
        sha = sha256_of_data({"value": value})
        return {"config": {"optimizer": {"lr": {"sha256": sha}}, "seed": 0}}

    plain = run(tmp_path / "a")
    same = compare(plain, run(tmp_path / "b", **hashed(0.1)))
    other = compare(plain, run(tmp_path / "c", **hashed(0.3)))
    assert "optimizer.lr" not in same.sentence
    assert other.sentence.startswith("Differ in optimizer.lr")
    assert "another value" in str(section(other, "configuration").rows)


def test_weights_are_compared_by_tensor(tmp_path: Path) -> None:
    found = compare(run(tmp_path / "a", weight=1.0), run(tmp_path / "b", weight=1.5))
    (row,) = section(found, "weights").rows
    assert (row["largest difference"], row["relative L2"]) == (0.5, 0.5)
    assert not row["equal"]


def test_lost_files_get_a_line_each(tmp_path: Path) -> None:
    one, other = run(tmp_path / "a"), run(tmp_path / "b", weight=2.0)
    (one.folder / "weights.safetensors").unlink()
    (one.folder / "identity.json").write_text("[1]")
    (other.folder / "environment.json").unlink()
    found = compare(one, other)
    assert "weights.safetensors cannot be read" in section(found, "weights").says
    assert len(found.missing) == 2
    assert "identity.json is damaged" in found.missing[0]
    assert "environment.json cannot be read" in found.missing[1]


def test_damaged_weights_are_not_compared(tmp_path: Path) -> None:
    one, other = run(tmp_path / "a"), run(tmp_path / "b", weight=2.0)
    path = other.folder / "weights.safetensors"
    save_file({"w": load_file(path)["w"] + 1}, path)
    weights = section(compare(one, other), "weights")
    assert "is damaged: its SHA-256 is not the one in the journal" in weights.says
    assert not weights.rows


def test_the_command_prints_json_and_refuses_in_one_line(tmp_path: Path) -> None:
    for name, lr in (("a", 0.1), ("b", 0.2)):
        run(tmp_path / "outputs" / name, lr=lr)
    done = forked(EXPERIMENTS, "diff", "outputs/a", "outputs/b", "--json", cwd=tmp_path)
    told = json.loads(done.stdout)
    assert told["sentence"].startswith("Differ in optimizer.lr")
    assert {"key": "optimizer.lr", "a": "0.1", "b": "0.2"} in told["sections"]["configuration"][
        "rows"
    ]
    shown = forked(EXPERIMENTS, "diff", "outputs/a", "outputs/b", cwd=tmp_path)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith("Differ in optimizer.lr")
    unknown = forked(EXPERIMENTS, "diff", "outputs/a", "nowhere", cwd=tmp_path)
    assert unknown.returncode == 2
    assert unknown.stderr.startswith("error: nowhere: ")
