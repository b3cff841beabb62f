"""A command that is refused, or has nothing to do, leaves nothing behind."""

from __future__ import annotations

import logging
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from experiments.errors import InputError
from experiments.journal import NAME
from experiments.process.logs import LogFile
from experiments.run.folder import removed_if_refused
from tests.programs import start as start_program
from tests.programs import wait_for_epoch


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    """A run's folder with a log, as Hydra makes both."""
    folder = tmp_path / "run"
    folder.mkdir()
    handler = LogFile(str(folder / "train.log"))
    logging.getLogger().addHandler(handler)
    yield folder / "train.log"
    logging.getLogger().removeHandler(handler)
    handler.close()


def refuse(folder: Path) -> None:
    @removed_if_refused(folder)
    def command() -> None:
        logging.getLogger().warning("something")
        raise InputError("refused")

    with pytest.raises(InputError):
        command()


def test_a_folder_in_which_nothing_was_begun_is_removed(log: Path) -> None:
    refuse(log.parent)
    logging.getLogger().warning("said afterwards")
    assert not log.parent.exists()


def test_a_folder_in_which_a_run_was_begun_stays(log: Path) -> None:
    (log.parent / NAME).touch()
    refuse(log.parent)
    assert "something" in log.read_text()


def test_what_others_have_put_there_stays(log: Path) -> None:
    (log.parent / "notes.txt").write_text("mine")
    refuse(log.parent)
    assert [path.name for path in log.parent.iterdir()] == ["notes.txt"]


def test_a_log_that_was_there_before_stays(tmp_path: Path) -> None:
    (tmp_path / "train.log").write_text("before\n")
    handler = LogFile(str(tmp_path / "train.log"))
    logging.getLogger().addHandler(handler)
    try:
        refuse(tmp_path)
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()
    assert (tmp_path / "train.log").read_text().startswith("before\n")


@pytest.mark.slow
def test_of_two_at_once_the_refused_one_leaves_nothing(tmp_path: Path, root: str) -> None:
    first = start_program(tmp_path, root, "Slow", "tracking=none", SLOW="0.05")
    others = [start_program(tmp_path, root, "Slow", "tracking=none", SLOW="0.05") for _ in "ab"]
    ended = [other.communicate(timeout=120) for other in (first, *others)]
    codes = sorted(process.returncode for process in (first, *others))
    assert codes in ([0, 2, 2], [0, 0, 2], [0, 0, 0]), ended
    assert len(list(tmp_path.glob("outputs/2*/*"))) == 1
    assert "Traceback" not in "".join(errors for _, errors in ended)


def test_a_link_in_the_log_s_place_is_refused_by_the_program(offline, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "run" / "train.log").symlink_to(tmp_path / "victim")
    done = offline("hydra.run.dir=run")
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert "train.log: cannot be written: is a link; remove it" in line
    assert (tmp_path / "victim").read_text() == "precious"


@pytest.mark.parametrize("blocks", [10, 200])
def test_a_limit_on_files_is_one_line(tmp_path: Path, root: str, blocks: int) -> None:
    process = start_program(tmp_path, root, "Slow", "tracking=none", "model.hidden=[512]")
    wait_for_epoch(process, 1)
    limit = blocks * 512
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (limit, limit))
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    (line,) = errors.splitlines()
    assert "files may not grow so large here" in line
    assert "ulimit -f" in line
