"""The source of a run can be restored from its commit and patch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.provenance import origin as provenance
from experiments.provenance.origin import (
    Commit,
    commit,
    commit_of_command,
    environment,
    note_commit,
    tags,
)


def git(folder: Path, *arguments: str, given: bytes | None = None) -> bytes:
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    return subprocess.run(
        ["git", *identity, *arguments], cwd=folder, input=given, capture_output=True, check=True
    ).stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "a.py").write_text("one\n")
    (folder / ".gitignore").write_text("ignored\n")
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    return folder


def test_a_clean_commit(repository: Path) -> None:
    (repository / "ignored").write_text("x")
    found = commit(repository / "src")
    assert found is not None
    assert found.sha == git(repository, "rev-parse", "HEAD").decode().strip()
    assert not found.dirty


def test_the_patch_restores_changed_new_and_binary_files(repository: Path, tmp_path: Path) -> None:
    (repository / "src" / "a.py").write_text("two\n")
    (repository / "new ä.py").write_text("new\n")
    (repository / "src" / "binary").write_bytes(bytes(range(256)))
    git(repository, "add", "src/binary")
    found = commit(repository / "src")
    assert found is not None
    assert found.dirty
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(repository), str(clone))
    git(clone, "apply", given=found.patch)
    for name in ("src/a.py", "new ä.py", "src/binary"):
        assert (clone / name).read_bytes() == (repository / name).read_bytes()


def test_what_is_no_source_is_named_not_held(repository: Path) -> None:
    (repository / "large.py").write_bytes(bytes(2_000_000))
    (repository / ".env").write_text("API_KEY=correct-horse")
    (repository / "dangling.py").symlink_to("nowhere")
    (repository / os.fsdecode(b"\xff.bin")).write_text("x")
    found = commit(repository)
    assert found is not None
    for name in (b"large.py", b".env", b"dangling.py", b"\xff.bin"):
        assert b"left out, untracked and no source: " + name + b"\n" in found.patch
    assert b"correct-horse" not in found.patch
    assert len(found.patch) < 1_000


def test_no_commit_outside_git(tmp_path: Path) -> None:
    assert commit(tmp_path) is None


def break_index(folder: Path) -> None:
    (folder / ".git" / "index").write_bytes(b"DIRC broken")


def break_head(folder: Path) -> None:
    (folder / ".git" / "HEAD").write_text("nonsense")


def break_settings(folder: Path) -> None:
    (folder / ".git" / "config").write_text("[core\n")


@pytest.mark.parametrize("damage", [break_index, break_head, break_settings])
def test_a_broken_repository_is_said_and_ends_nothing(repository: Path, damage) -> None:
    damage(repository)
    found = commit(repository)
    assert found is not None
    assert found.problem is not None
    assert found.problem.startswith("git ")
    assert "\n" not in found.problem
    told = tags(found)
    assert told["git_problem"] == found.problem
    assert "git_dirty" not in told


def test_the_commit_is_told_even_where_the_changes_cannot_be(repository: Path) -> None:
    sha = git(repository, "rev-parse", "HEAD").decode().strip()
    break_index(repository)
    assert tags(commit(repository))["git_commit"] == sha


def test_a_lock_of_another_command_is_no_hindrance(repository: Path) -> None:
    expected = commit(repository)
    (repository / ".git" / "index.lock").touch()
    assert commit(repository) == expected


def program(folder: Path, text: str) -> None:
    """Put a program named git into a folder."""
    (folder / "git").write_text(f"#!/bin/sh\n{text}\n")
    (folder / "git").chmod(0o755)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "git cannot be run"),
        ("sleep 600 & sleep 600", "git rev-parse: has not answered in 0 s"),
        ("echo fatal: detected dubious ownership >&2; exit 128", "detected dubious ownership"),
        ("exit 3", "ended with 3"),
        ("kill -9 $$", "ended with -9"),
    ],
)
def test_git_missing_hanging_or_failing_is_said_and_ends_nothing(
    repository: Path, tmp_path: Path, text: str | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bin"
    path.mkdir()
    if text is not None:
        program(path, text)
    monkeypatch.setenv("PATH", f"{path}:/usr/bin:/bin" if text else str(path))
    if text and "sleep" in text:
        monkeypatch.setattr("experiments.provenance.repository._SECONDS", 0.2)
    found = commit(repository)
    assert found is not None
    assert said in str(found.problem)


def test_a_repository_without_a_commit_says_so(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "a.py").touch()
    found = commit(tmp_path)
    assert found == Commit(None, b"", "the repository has no commit yet")
    assert "git_commit" not in tags(found)


def test_the_project_of_train_py_counts_and_not_that_of_this_package(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    main = sys.modules["__main__"]
    monkeypatch.setattr(main, "__file__", str(repository / "src" / "a.py"), raising=False)
    assert commit_of_command(None) == commit(repository)
    (tmp_path / "installed").mkdir()
    monkeypatch.setattr(main, "__file__", str(tmp_path / "installed" / "train.py"), raising=False)
    monkeypatch.chdir(tmp_path)
    assert commit_of_command(None) is None
    monkeypatch.chdir(repository / "src")
    assert commit_of_command(None) == commit(repository)


@pytest.mark.parametrize(
    "source", [None, Commit("a" * 40, b"\xff\0patch\n"), Commit(None, b"", "why")]
)
def test_a_job_takes_the_commit_from_its_sweep(
    tmp_path: Path, source: Commit | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    note_commit(source, tmp_path)
    monkeypatch.setattr(provenance, "commit", lambda _: pytest.fail("git was asked"))
    assert commit_of_command(tmp_path) == source


def test_the_environment_tells_versions_and_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "correct-horse")
    told = environment()
    assert told["packages"]["torch"]
    assert told["cores"] == os.cpu_count()
    assert "correct-horse" not in json.dumps(told)
