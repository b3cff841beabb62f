"""The work for each job is the same in a larger sweep: calls are counted, not seconds."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hydra import initialize_config_dir
from hydra._internal.callbacks import Callbacks
from hydra.core.global_hydra import GlobalHydra
from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig

from experiments.errors import InputError
from experiments.sweep.compose import SweepLoader, expand
from experiments.sweep.job_returns import without_configurations
from experiments.sweep.jobs import Job
from experiments.sweep.outcomes import Outcome, Outcomes
from experiments.sweep.plan import make_plan
from experiments.sweep.planning_progress import telling
from experiments.sweep.report import as_csv
from experiments.sweep.verdict import judge
from experiments.sweep.verdict_text import as_lines
from experiments.sweep.view import View
from tests.conftest import PROJECT
from tests.sweep.made_up import job, results
from tests.sweep.test_progress import Clock

FEW, MANY = 20, 200


def calls(function: Callable[[], object]) -> int:
    """Return the number of calls of functions, Python's and C's, while a function runs."""
    count = 0

    def noted(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(noted)
    try:
        function()
    finally:
        sys.setprofile(before)
    return count


def growth(work: Callable[[int], object], few: int = FEW, many: int = MANY) -> float:
    """Return the calls for each further job, over the calls for each of the first jobs."""
    work(few)  # what is imported or remembered does not count
    first, second, last = (calls(lambda n=n: work(n)) for n in (few, 2 * few, many))
    return (last - second) / (many - 2 * few) / ((second - first) / few)


def jobs_of(number: int) -> list[Job]:
    values = [(f"optimizer.lr={each // 5}", f"seed={each % 5}") for each in range(number)]
    return [job(each, *varied, seed=each % 5) for each, varied in enumerate(values)]


def test_the_view_tells_each_job_at_the_same_cost(tmp_path: Path) -> None:
    def work(number: int) -> None:
        view = View(jobs_of(number), tmp_path)
        for each in range(number):
            view.note(Outcome(each, "running"))
            view.progress.look()
            view.note(Outcome(each, "finished", objective=(each * 37 % 101) / 101))
            assert str(view)

    assert growth(work) < 1.2


def test_results_of_a_sweep_are_judged_and_written_at_the_same_cost(tmp_path: Path) -> None:
    def work(number: int) -> None:
        values = [[(each * 37 + seed * 11) % 101 / 101 for seed in range(5)] for each in range(41)]
        made = results({f"optimizer.lr={each}": values[each % 41] for each in range(number // 5)})
        assert list(as_lines(judge(made)))
        assert as_csv(made, tmp_path).count("\n") == number + 1

    assert growth(work) < 1.2


@pytest.fixture
def loader() -> Iterator[SweepLoader]:
    with initialize_config_dir(str(PROJECT / "conf"), version_base="1.3"):
        yield SweepLoader(GlobalHydra.instance().config_loader().get_search_path())


def test_jobs_are_planned_at_the_same_cost(
    loader: SweepLoader, root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    usual = ["data=digits", f"data.root={root}", "tracking=none", "hydra.sweep.dir=outputs/s"]
    master = loader.load_configuration("config", usual, RunMode.MULTIRUN)

    def work(number: int) -> None:
        values = ["optimizer=sgd,adamw", f"seed=range({number // 2})"]
        plan = make_plan(loader, master, expand(values, loader, at_most=number), here=True)
        assert len(plan.of("new")) == number

    assert growth(work, few=4, many=16) < 1.1


def test_outcomes_of_finished_jobs_are_looked_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    read = Outcomes.read

    def counted(outcomes: Outcomes, number: int) -> Outcome | None:
        looks.append(number)
        return read(outcomes, number)

    monkeypatch.setattr(Outcomes, "read", counted)
    outcomes = Outcomes(tmp_path, "turn")
    outcomes.begin()
    for number in range(FEW):
        outcomes.write(Outcome(number, "running"))
        assert [each.state for each in outcomes.news()] == ["running"]
        outcomes.write(Outcome(number, "finished", objective=0.5))
        assert [each.state for each in outcomes.news()] == ["finished"]
    assert sorted(looks) == sorted([*range(FEW)] * 2)


def test_a_folder_of_outcomes_is_listed_only_while_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed: list[str] = []
    scan = os.scandir

    def counted(folder: str) -> object:
        listed.append(Path(folder).name)
        return scan(folder)

    clock = Clock()
    outcomes = Outcomes(tmp_path, "turn", clock=clock)
    outcomes.begin()
    for number in (0, 7, 2_500):
        outcomes.write(Outcome(number, "running"))
    monkeypatch.setattr(os, "scandir", counted)
    assert {each.number for each in outcomes.news()} == {0, 7, 2_500}
    assert sorted(listed) == ["0", "2", "turn"]
    assert [outcomes.news() for _ in range(10)] == [[]] * 10
    assert listed.count("0") == 11
    clock.now += 61
    listed.clear()
    assert (outcomes.news(), listed) == ([], ["turn"])
    assert (outcomes.news(is_last=True), sorted(listed)) == ([], ["0", "2", "turn", "turn"])
    listed.clear()
    outcomes.write(Outcome(7, "finished", objective=0.5))
    assert [(each.number, each.state) for each in outcomes.news()] == [(7, "finished")]
    assert listed == ["turn", "0"]
    assert set(outcomes.all()) == {0, 7, 2_500}


class Seeing(Callback):
    """A user's callback, which sees the configuration of each job."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_: Any) -> None:
        self.seen += [job_return.cfg, job_return.hydra_cfg]


def test_a_launcher_keeps_no_configuration_once_the_user_s_callbacks_have_seen_it() -> None:
    own, callbacks = Seeing(), Callbacks()
    callbacks.callbacks = [own]
    config = DictConfig({"seed": 1})
    returned = JobReturn(cfg=config, hydra_cfg=config, overrides=["seed=1"])
    without_configurations(callbacks).on_job_end(config=config, job_return=returned)
    assert own.seen == [config, config]
    assert (returned.cfg, returned.hydra_cfg, returned.overrides) == (None, None, ["seed=1"])
    assert callbacks.callbacks == [own]


def test_a_plan_that_takes_long_tells_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    with telling("checked", 5_000, clock=clock) as advance:
        for seconds in (1, 1, 1, 29):
            clock.now += seconds
            advance(1)
    assert capsys.readouterr().out.splitlines() == [
        "Planning: 2 of 5,000 jobs checked, 83 min left",
        "Planning: 4 of 5,000 jobs checked, 11.1 h left",
    ]


@pytest.mark.parametrize("lanes", [[["seed=1"], ["seed=2", "optimizer.lr=0.1"]], []])
def test_the_lanes_of_a_stack_are_kept_beside_the_outcomes(
    tmp_path: Path, lanes: Sequence[Sequence[str]]
) -> None:
    outcomes = Outcomes(tmp_path, "turn")
    outcomes.begin()
    outcomes.keep_lanes(3, [["seed=7"]])  # the launcher lost it
    outcomes.keep_lanes(3, lanes)
    assert Outcomes(tmp_path, "turn").lanes(3) == lanes
    assert outcomes.news() == []
    with pytest.raises(InputError, match=r"4\.lanes: cannot be read \(No such file"):
        outcomes.lanes(4)


def test_a_folder_of_outcomes_that_cannot_be_made_is_told_in_one_line(tmp_path: Path) -> None:
    outcomes = Outcomes(tmp_path, "turn")
    (tmp_path / ".jobs").write_text("")
    with pytest.raises(InputError, match=r"turn: cannot be written"):
        outcomes.begin()
    (tmp_path / ".jobs").unlink()
    outcomes.begin()
    (tmp_path / ".jobs" / "turn" / "0").write_text("")
    with pytest.raises(InputError, match=r"turn/0: cannot be written: something else"):
        outcomes.write(Outcome(3, "running"))
    (tmp_path / ".jobs" / "turn" / "failed").symlink_to("failed")
    with pytest.raises(InputError, match=r"turn/failed: cannot be written: is a link"):
        outcomes.write(Outcome(3, "failed"))
