"""Unusable paths are refused in one line; links that others planted are replaced."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.errors import InputError, RunError, unwritable
from experiments.files.folders import check_writable
from experiments.files.safe_writes import open_to_append, write_all, write_atomically
from experiments.journal import Journal
from experiments.process.logs import LogFile
from experiments.registry.identities import claimed, look_up, newest
from experiments.run.checkpoint import Checkpoints
from tests.registry.test_identities import ONE, begin


def dangling(path: Path) -> None:
    path.symlink_to(path.with_name("nowhere"))


def looping(path: Path) -> None:
    path.symlink_to(path)


def a_file(path: Path) -> None:
    path.write_text("mine")


@pytest.mark.parametrize("below", ["", "run", "a/b/c"])
@pytest.mark.parametrize("planted", [dangling, looping, a_file])
def test_what_is_no_folder_is_said(
    tmp_path: Path, planted: Callable[[Path], None], below: str
) -> None:
    planted(tmp_path / "outputs")
    with pytest.raises(InputError, match=r"^outputs=.*: cannot write in .*outputs: it is "):
        check_writable("outputs", tmp_path / "outputs" / below)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a\0b", "a character that no path has"),
        ("\ud800", "a character that no path has"),
        ("a" * 256, "too long"),
        ("a" * 5000, "too long"),
        ("a/" * 2500, "too long"),
        ("b/" + "ä" * 200, "too long"),
    ],
)
def test_what_is_no_path_is_said(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        check_writable("outputs", tmp_path / name)
    assert len(str(caught.value)) < 400
    assert "\0" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [
        *(b"[]", b"null", b"7", b"{}", b'{"folder": 1}', b"\xff\xfe", b"", b"[" * 100_000),
        b'{"folder": "first"}',
        b'{"folder": "../../etc"}',
        b'{"folder": "/etc", "checksum": "0123456789abcdef"}',
    ],
)
def test_a_damaged_entry_is_said_and_others_go_on(tmp_path: Path, content: bytes) -> None:
    begin(tmp_path, ONE, "first", "FINISHED")
    entry = tmp_path / ".identities" / ONE
    entry.write_bytes(content)
    with pytest.raises(InputError, match=r"is damaged .* delete it"):
        look_up(tmp_path, ONE, tmp_path / "new")
    assert newest(tmp_path, 10) == []


def test_an_entry_under_another_name_is_said(tmp_path: Path) -> None:
    begin(tmp_path, ONE, "first", "FINISHED")
    (tmp_path / ".identities" / ONE).rename(tmp_path / ".identities" / ("2" * 64))
    with pytest.raises(InputError, match="is damaged"):
        look_up(tmp_path, "2" * 64, tmp_path / "new")


def test_a_folder_in_an_entry_s_place_is_said(tmp_path: Path) -> None:
    (tmp_path / ".identities" / ONE).mkdir(parents=True)
    with pytest.raises(InputError, match="is damaged"):
        look_up(tmp_path, ONE, tmp_path / "new")


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A file that an attacker's link points to."""
    path = tmp_path / "victim"
    path.write_text("precious")
    return path


def test_a_staged_name_that_is_a_link_is_replaced(tmp_path: Path, victim: Path) -> None:
    (tmp_path / ".config.yaml.partial").symlink_to(victim)
    (tmp_path / "config.yaml").symlink_to(victim)
    write_all(tmp_path, {"config.yaml": b"new", "other": b"x"})
    assert victim.read_text() == "precious"
    assert not (tmp_path / "config.yaml").is_symlink()
    assert (tmp_path / "config.yaml").read_bytes() == b"new"
    assert {path.name for path in tmp_path.iterdir()} == {"config.yaml", "other", "victim"}


@pytest.mark.parametrize("opened", [Journal, lambda f: open_to_append(f / "journal.jsonl")])
def test_a_link_in_the_journal_s_place_is_refused(
    tmp_path: Path, victim: Path, opened: Callable[[Path], object]
) -> None:
    (tmp_path / "journal.jsonl").symlink_to(victim)
    with pytest.raises(InputError, match=r"journal.jsonl: .* is a link; remove it"):
        opened(tmp_path)
    assert victim.read_text() == "precious"


def test_a_log_is_not_written_through_a_link(tmp_path: Path, victim: Path) -> None:
    (tmp_path / "train.log").symlink_to(victim)
    with pytest.raises(InputError, match="is a link"):
        LogFile(str(tmp_path / "train.log"))


def test_a_pipe_in_a_file_s_place_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "train.log")
    with pytest.raises(InputError, match="is no file"):
        LogFile(str(tmp_path / "train.log"))


@pytest.mark.parametrize(
    ("name", "write"),
    [
        (".identities", lambda run: claimed(run, ONE, run, earlier=None).__enter__()),
        ("checkpoints", lambda run: Checkpoints(run / "checkpoints").save(1, {})),
    ],
)
def test_a_folder_of_ours_that_is_a_link_is_refused(
    tmp_path: Path, name: str, write: Callable[[Path], object]
) -> None:
    elsewhere, run = tmp_path / "elsewhere", tmp_path / "run"
    elsewhere.mkdir()
    run.mkdir()
    (run / name).symlink_to(elsewhere)
    with pytest.raises(InputError, match=rf"{name}: is a link; remove it"):
        write(run)
    assert list(elsewhere.iterdir()) == []


def test_a_lock_that_is_a_link_is_refused(tmp_path: Path, victim: Path) -> None:
    (tmp_path / ".identities").mkdir()
    (tmp_path / ".identities" / ".lock").symlink_to(victim)
    with (
        pytest.raises(InputError, match=r"\.lock: .* is a link; remove it"),
        claimed(tmp_path, ONE, tmp_path, earlier=None),
    ):
        pass


@pytest.mark.parametrize(
    "number", [errno.EIO, errno.EROFS, errno.EFBIG, errno.ENOSPC, errno.EDQUOT]
)
def test_a_disk_that_fails_stops_a_run(tmp_path: Path, number: int) -> None:
    error = unwritable(OSError(number, os.strerror(number)), tmp_path / "file", 7)
    assert isinstance(error, RunError)
    assert "file: " in str(error)
    assert str(error).endswith("and repeat the command")  # which may be an export, not a run


@pytest.mark.parametrize(
    "number", [errno.ELOOP, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EACCES]
)
def test_what_the_user_put_there_is_a_mistake(tmp_path: Path, number: int) -> None:
    error = unwritable(OSError(number, os.strerror(number)), tmp_path / "file")
    assert isinstance(error, InputError)


def test_a_folder_in_a_file_s_place_is_said(tmp_path: Path) -> None:
    for name in ("file", ".other.partial"):
        (tmp_path / name).mkdir()
    for name in ("file", "other"):
        with pytest.raises(InputError, match=f"{name}: cannot be written: is a folder"):
            write_atomically(tmp_path / name, b"x")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".other.partial", "file"]
