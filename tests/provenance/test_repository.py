"""The user's settings of git do not change the recorded source."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

import pytest

from experiments.provenance import repository
from experiments.provenance.origin import commit
from tests.provenance.test_origin import git


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """A repository with files changed, moved, added, deleted and new, in an odd folder."""
    folder = tmp_path / "own project"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "a.py").write_text("\n".join(map(str, range(40))))
    (folder / "src" / "moved.py").write_text("x = 1\n" * 20)
    (folder / "gone.py").write_text("gone\n")
    (folder / "data.bin").write_bytes(bytes(range(256)))
    (folder / ".gitattributes").write_text("*.bin diff=shout filter=shout\n*.txt text\n")
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    (folder / "src" / "a.py").write_text("\n".join(map(str, range(1, 41))) + "\n")
    git(folder, "mv", "src/moved.py", 'src/Ünder "quotes".py')
    (folder / "gone.py").unlink()
    (folder / "data.bin").write_bytes(bytes(range(255, -1, -1)))
    (folder / "new\tä\n.py").write_bytes(b"x = 1\r\ny = '\xff'\n\nz = 3")
    (folder / "empty.py").touch()
    (folder / "run.py").write_text("#!/usr/bin/env python\n")
    (folder / "run.py").chmod(0o755)
    return folder


def restored(patch: bytes, of: Path, at: Path) -> dict[str, tuple[bytes, bool]]:
    git(at.parent, "clone", "-q", str(of), str(at))
    git(at, "apply", given=patch)
    return files_of(at)


def files_of(folder: Path) -> dict[str, tuple[bytes, bool]]:
    """Return the content of a working tree's files, and whether each is executable."""
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), os.access(path, os.X_OK))
        for path in folder.rglob("*")
        if path.is_file() and ".git" not in path.relative_to(folder).parts
    }


def state_of(folder: Path) -> dict[str, tuple[int, str]]:
    """Return the time of each file of a repository, and its SHA-256."""
    return {
        str(path): (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_patch_restores_every_kind_of_change(changed: Path, tmp_path: Path) -> None:
    before = state_of(changed)
    found = commit(changed / "src")
    assert found is not None
    assert found.problem is None
    assert restored(found.patch, changed, tmp_path / "clone") == files_of(changed)
    assert state_of(changed) == before


SETTINGS = [
    "color.ui=always",
    "diff.noprefix=true",
    "diff.mnemonicPrefix=true",
    "diff.external=false",
    "diff.shout.command=false",
    "diff.shout.textconv=false",
    "diff.renames=copies",
    "diff.relative=true",
    "diff.context=0",
    "diff.interHunkContext=50",
    "diff.algorithm=patience",
    "diff.wordRegex=.",
    "diff.colorMoved=zebra",
    "diff.suppressBlankEmpty=true",
    "diff.orderFile=/nowhere",
    "diff.autoRefreshIndex=false",
    "core.quotePath=false",
    "core.pager=false",
    "core.abbrev=4",
    "core.fsmonitor=false",
    "core.safecrlf=true",
    "core.splitIndex=true",
    "core.untrackedCache=true",
    "alias.diff-index=!false",
    "status.showUntrackedFiles=no",
]


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("place", ["repository", "environment"])
def test_no_setting_changes_the_patch(
    changed: Path, setting: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = commit(changed)
    key, _, value = setting.partition("=")
    if place == "repository":
        git(changed, "config", key, value)
    else:
        monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
        monkeypatch.setenv("GIT_CONFIG_KEY_0", key)
        monkeypatch.setenv("GIT_CONFIG_VALUE_0", value)
    assert commit(changed) == expected


@pytest.mark.parametrize(
    "name",
    [
        *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_EXTERNAL_DIFF", "GIT_DIFF_OPTS"),
        *("GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE", "GIT_PREFIX", "GIT_CONFIG", "GIT_PAGER"),
        *("GIT_LITERAL_PATHSPECS", "GIT_TRACE", "GIT_COMMON_DIR", "GIT_CEILING_DIRECTORIES"),
    ],
)
def test_no_variable_of_git_s_changes_the_patch(
    changed: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = commit(changed)
    monkeypatch.setenv(name, str(changed.parent))
    assert commit(changed) == expected


@pytest.mark.parametrize("way", ["clean", "process"])
def test_no_filter_runs_and_what_it_should_read_is_named(changed: Path, way: str) -> None:
    trace = changed.parent / "it ran"
    git(changed, "config", f"filter.shout.{way}", f"touch '{trace}'; cat")
    git(changed, "config", "filter.shout.required", "true")
    found = commit(changed)
    assert found is not None
    assert found.problem is None
    assert b"left out, git filters it: data.bin\n" in found.patch
    assert b"src/a.py" in found.patch
    assert not trace.exists()


def test_a_file_that_was_only_touched_is_no_change(changed: Path) -> None:
    git(changed, "add", ".")
    git(changed, "commit", "-qm", "second")
    os.utime(changed / "src" / "a.py", ns=(1, 1))
    before = state_of(changed)
    found = commit(changed)
    assert found is not None
    assert not found.dirty
    assert state_of(changed) == before


def test_hundreds_of_new_files_take_no_process_each(
    changed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[str]] = []
    popen = repository.subprocess.Popen

    def counted(arguments, **options):
        started.append(arguments)
        return popen(arguments, **options)

    monkeypatch.setattr(repository.subprocess, "Popen", counted)
    commit(changed)
    few = len(started)
    for number in range(400):
        (changed / f"new_{number}.py").touch()
    found = commit(changed)
    assert found is not None
    assert b"new_399.py" in found.patch
    assert len(started) == 2 * few <= 12


def test_a_change_in_a_submodule_is_seen(changed: Path, tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "b.py").write_text("one\n")
    git(inner, "init", "-q")
    git(inner, "add", ".")
    git(inner, "commit", "-qm", "first")
    allowed = ("-c", "protocol.file.allow=always", "submodule", "--quiet", "add")
    git(changed, *allowed, str(inner), "inner")
    git(changed, "add", ".")
    git(changed, "commit", "-qm", "second")
    (changed / "inner" / "b.py").write_text("two\n")
    found = commit(changed)
    assert found is not None
    assert b"-dirty" in found.patch
    git(tmp_path, "clone", "-q", str(changed), "clone")
    git(tmp_path / "clone", "apply", given=found.patch)


def test_a_repository_that_cannot_be_written_to_is_read(changed: Path, tmp_path: Path) -> None:
    expected = commit(changed)
    places = [changed, *(path for path in changed.rglob("*") if path.is_dir())]
    modes = {place: stat.S_IMODE(place.stat().st_mode) for place in places}
    for place in places:
        place.chmod(0o555)
    try:
        assert commit(changed) == expected
    finally:
        for place, mode in modes.items():
            place.chmod(mode)
