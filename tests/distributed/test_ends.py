"""Signals, kills and errors in several processes: one reason is given, and no bit is lost."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from experiments import journal
from tests.conftest import cases, run_folder
from tests.distributed.processes import ends_of, start_all, train_together
from tests.programs import holding, release, wait_for_epoch

OVERRIDES = ("model._target_=own.Dropping", "trainer.epochs=3", "trainer.shards=4")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, root: str) -> journal.History:
    """The history of a run that nothing has stopped."""
    return train_together(tmp_path_factory.mktemp("whole"), root, 1, *OVERRIDES, SLOW="0")


def in_epoch_2(folder: Path, root: str) -> list[subprocess.Popen[str]]:
    """Start a run in two processes, and wait until it trains its second epoch."""
    # Two shards in each of the two processes, and 24 batches in an epoch.
    processes = start_all(folder, root, 2, *OVERRIDES, **holding(folder, after=2 * 30))
    wait_for_epoch(processes[0], 1)
    return processes


def assert_continued(folder: Path, root: str, count: int, whole: journal.History) -> None:
    resumed = train_together(folder, root, count, *OVERRIDES, SLOW="0")
    assert resumed.tags["weights_sha256"] == whole.tags["weights_sha256"]
    assert resumed.status == "FINISHED"
    assert resumed.tags["processes"] == str(count)  # those of the last start


@pytest.mark.parametrize(
    ("signalled", "count"), [([1], 1), pytest.param([0, 1], 4, marks=pytest.mark.slow)]
)
def test_a_signal_to_any_process_stops_all_with_one_checkpoint(
    tmp_path: Path, root: str, whole: journal.History, signalled: Sequence[int], count: int
) -> None:
    processes = in_epoch_2(tmp_path, root)
    for rank in signalled:
        processes[rank].send_signal(signal.SIGTERM)
    (code, output, errors), other = ends_of(processes)
    assert (code, errors) == (128 + signal.SIGTERM, "")
    assert "resumes it at epoch 2, batch" in output
    assert other == (128 + signal.SIGTERM, "", "")
    assert journal.history(run_folder(tmp_path)).status == "KILLED"
    release(tmp_path)
    assert_continued(tmp_path, root, count, whole)


@pytest.mark.parametrize(("killed", "count"), [(1, 1), pytest.param(0, 4, marks=pytest.mark.slow)])
def test_a_killed_process_ends_the_other_with_one_line(
    tmp_path: Path, root: str, whole: journal.History, killed: int, count: int
) -> None:
    processes = in_epoch_2(tmp_path, root)
    processes[killed].kill()
    processes[1 - killed].send_signal(signal.SIGTERM)  # as torchrun does
    ends = ends_of(processes)
    code, output, errors = ends[1 - killed]
    assert code == 1
    assert "SIGTERM" not in output
    (line,) = errors.splitlines()
    lost = "another process of the run" if killed else "rank 0"
    assert line.startswith(f"error: rank {1 - killed} of 2: {lost} has ended")
    release(tmp_path)
    assert_continued(tmp_path, root, count, whole)


@pytest.mark.slow  # test_meeting.py tests who speaks
@pytest.mark.parametrize("rank", [1, 0])
def test_an_error_is_reported_by_its_process_alone(tmp_path: Path, root: str, rank: int) -> None:
    processes = start_all(
        tmp_path, root, 2, "model._target_=own.Picky", "trainer.shards=2", RANK_OF_FAILURE=str(rank)
    )
    ends = ends_of(processes)
    assert [code for code, _, _ in ends] == [1, 1]
    assert ends[rank][2].splitlines()[-1].startswith("As it is, ")
    assert "ArithmeticError: only here" in ends[rank][2]
    # Without torchrun the reasons are lost with rank 0, which keeps them.
    assert ends[1 - rank][2].startswith("" if rank else "error: rank 1 of 2: rank 0 has ended, ")
    assert len(ends[1 - rank][2].splitlines()) == (0 if rank else 1)
    folder = run_folder(tmp_path)
    assert f"Everything about this run: {folder.relative_to(tmp_path)}\n" in ends[rank][2]
    past = journal.history(folder)
    assert past.status == "FAILED"
    assert "only here" in past.tags["failure"]


@pytest.mark.parametrize(
    ("overrides", "line"),
    cases(
        {
            "shards": (["trainer.shards=3"], "trainer.shards=3: cannot be shared by 2 processes;"),
            "sweep": (["-m", "seed=1,2"], "-m: needs one process, and torchrun has started 2;"),
            "key": (["trainer.shard=2"], "trainer.shard: unknown key; did you mean trainer.shards"),
            "ddp": (["trainer.shards=2", "trainer.strategy=ddp"], "trainer.shards=2: has no eff"),
        },
        usual=2,
    ),
)
def test_a_mistake_is_one_line_of_the_first_process(
    tmp_path: Path, root: str, overrides: Sequence[str], line: str
) -> None:
    options = [each for each in overrides if each.startswith("-")]
    rest = [each for each in overrides if each not in options]
    processes = start_all(tmp_path, root, 2, *rest, *options)
    (code, output, errors), other = ends_of(processes)
    assert (code, output) == (2, "")
    (said,) = errors.splitlines()
    assert said.startswith(f"error: {line}")
    assert other == (0, "", "")
    assert {path.name for path in tmp_path.iterdir()} <= {"own.py", "__pycache__"}
