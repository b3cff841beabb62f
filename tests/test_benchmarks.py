"""`make bench-check`: its rule, the results that it compares with, and its exit code."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from benchmarks import check, report, startup
from benchmarks.ratios import MARGIN, TURNS, Finding, Ratio, Samples, Verdict, compared, ratios_of

RATIOS = {"an epoch / its floor": Ratio("epoch", "floor", aim=2.0)}
KEPT = [2.0, 2.01, 2.02, 2.03, 2.04]


def verdict(kept: list[float], new: list[float]) -> Verdict:
    (finding,) = compared({"ratio": kept}, {"ratio": new})
    return finding.verdict


def times(factor: float) -> list[float]:
    return [factor * value for value in KEPT]


@dataclass
class Measured:
    """A benchmark that has been measured; its floor takes a second."""

    epochs: list[float]
    RATIOS: Mapping[str, Ratio] = field(default_factory=lambda: RATIOS)

    def measure(self) -> Samples:
        return {"epoch": self.epochs, "floor": [1.0] * len(self.epochs)}

    def keep(self) -> None:
        report.report("epoch", "An epoch", ("a",), [("b",)], seconds=self.measure(), ratios=RATIOS)


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    return tmp_path


@pytest.fixture
def measuring(results: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[list[float]], None]:
    """Let the check measure these seconds of epochs, in a process on an idle machine."""

    def measure(epochs: list[float]) -> None:
        monkeypatch.setattr(check, "QUICK", {"epoch": Measured(epochs)})
        monkeypatch.setattr(check, "load", lambda: 0.0)

    return measure


def test_a_ratio_is_divided_within_its_turn() -> None:
    """A turn on a machine that is half as fast has the same ratio."""
    seconds = {"epoch": [2.0, 4.0], "floor": [1.0, 2.0]}
    assert ratios_of(seconds, RATIOS) == {"an epoch / its floor": [2.0, 2.0]}


def test_what_is_clearly_beyond_the_kept_spread_is_slower_or_faster() -> None:
    assert verdict(KEPT, times(1.2)) == "slower"
    assert verdict(KEPT, times(1 / 1.2)) == "faster"


@pytest.mark.parametrize("factor", [1, 1.02, 0.98, 1 + MARGIN, 1 / (1 + MARGIN)])
def test_a_small_difference_is_unchanged(factor: float) -> None:
    assert verdict(KEPT, times(factor)) == "unchanged"


def test_a_wide_kept_spread_hides_a_difference() -> None:
    assert verdict([*KEPT, *KEPT, 3.0], times(1.4)) == "unchanged"
    assert verdict([*KEPT, *KEPT, 2.1], times(1.4)) == "slower"
    assert verdict([*KEPT, *KEPT, 1.0], times(1 / 1.4)) == "unchanged"


def test_a_noisy_new_measurement_is_not_called_slower() -> None:
    """Its median alone would be: two of five turns are as fast as ever."""
    assert verdict(KEPT, [1.9, 2.0, 3.0, 3.1, 3.2]) == "unchanged"


def test_the_number_of_turns_can_reach_the_level_and_one_turn_fewer_cannot() -> None:
    assert verdict(KEPT[:TURNS], times(2)[:TURNS]) == "slower"
    assert verdict(KEPT[: TURNS - 1], times(2)[: TURNS - 1]) == "unchanged"


def test_a_ratio_that_only_one_side_has_is_told() -> None:
    assert compared({"old": KEPT}, {"new": KEPT}) == [
        Finding("old", "not measured", KEPT, ()),
        Finding("new", "new", (), KEPT),
    ]


def test_kept_samples_are_read_again_and_the_newest_count(results: Path) -> None:
    Measured(KEPT).keep()
    (file,) = results.glob("*.json")
    assert file.with_suffix(".md").exists()
    older = json.loads(file.read_text()) | {"ratios": {}}
    file.with_name(f"{file.stem[:-6]}202001.json").write_text(json.dumps(older))
    told = report.kept("epoch")
    assert told is not None
    assert told["ratios"] == {"an epoch / its floor": KEPT}
    assert told["seconds"]["epoch"] == KEPT
    assert told["versions"] == report.versions()
    assert len(told["load"]) == 3


def test_the_results_of_another_machine_do_not_count(
    results: Path,
    measuring: Callable[[list[float]], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    Measured(KEPT).keep()
    monkeypatch.setattr(report, "machine", lambda: "Another processor, 64 cores")
    monkeypatch.setattr(check, "machine", report.machine)
    measuring(times(2))
    capsys.readouterr()
    assert check.main() is None
    assert capsys.readouterr().out == (
        "Another processor, 64 cores: has no kept ratios yet; `make bench` measures and keeps "
        "them\n"
    )


@pytest.mark.parametrize(
    ("factor", "begins", "ends"),
    [
        (1.5, "slower", "Slower than kept: an epoch / its floor"),
        (1.0, "unchanged", None),
        (0.5, "faster", None),
    ],
)
def test_only_what_became_slower_fails(
    measuring: Callable[[list[float]], None],
    capsys: pytest.CaptureFixture[str],
    factor: float,
    begins: str,
    ends: str | None,
) -> None:
    Measured(KEPT).keep()
    measuring(times(factor))
    capsys.readouterr()
    assert check.main() == ends
    _, head, line = capsys.readouterr().out.splitlines()
    assert head.startswith("epoch, kept on 20")
    assert line.split()[0] == begins
    assert "an epoch / its floor: now" in line
    assert "kept 2.02 (2 to 2.04, n=5)" in line


def test_a_changed_version_and_a_busy_machine_are_told(
    results: Path,
    measuring: Callable[[list[float]], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    Measured(KEPT).keep()
    (file,) = results.glob("*.json")
    then = json.loads(file.read_text())
    then["versions"] |= {"torch": "1.0.0", "gone": "2"}
    file.write_text(json.dumps(then))
    measuring(KEPT)
    monkeypatch.setattr(check, "load", lambda: 100.0)
    capsys.readouterr()
    check.main()
    busy, _, head, _ = capsys.readouterr().out.splitlines()
    assert "load 100.0" in busy
    assert f"torch 1.0.0 then, {report.versions()['torch']} now" in head
    assert "gone 2 then, not measured now" in head


def test_a_theme_of_the_check_is_the_name_of_its_module() -> None:
    """`kept` finds results by it, and a line of the check names `python -m benchmarks.<theme>`."""
    assert {
        theme: module.__name__  # type: ignore[attr-defined]
        for theme, module in check.QUICK.items()
    } == {theme: f"benchmarks.{theme}" for theme in check.QUICK}


def test_a_slow_start_is_one_line() -> None:
    torch = [1.0] * TURNS
    assert startup.missed({startup.STEP: [1.05] * TURNS, startup.TORCH: torch}) is None
    line = startup.missed({startup.STEP: [1.2] * TURNS, startup.TORCH: torch})
    assert line is not None
    assert "1.20" in line
    assert len(line.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [([], 1, ""), (["--help"], 0, "what it measures"), (["--nope"], 2, "arguments: --nope")],
)
def test_a_benchmark_describes_itself_and_measures_only_when_asked_to(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    said: str,
) -> None:
    asked: list[str] = []

    def main() -> str:
        asked.append("measured")
        return "an aim is missed"

    monkeypatch.setattr("sys.argv", ["benchmarks/epoch.py", *arguments])
    with pytest.raises(SystemExit) as ended:
        report.as_command(main, "what it measures")
    assert ended.value.code == ("an aim is missed" if code == 1 else code)
    assert said in "".join(capsys.readouterr())
    assert bool(asked) == (not arguments)


def test_each_benchmark_is_such_a_command() -> None:
    alone = {"article.py", "jax_loop.py"}  # the measured baseline; a program without this package
    scripts = [path for path in Path(report.__file__).parent.glob("*.py") if path.name not in alone]
    commands = [path for path in scripts if '__name__ == "__main__"' in path.read_text()]
    assert len(commands) > 20
    for path in commands:
        assert "    as_command(main, __doc__" in path.read_text(), path.name
