"""Where a run comes from can be brought back."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from experiments.provenance import commit, environment


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


def test_the_environment_tells_versions_and_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "correct-horse")
    told = environment()
    assert told["packages"]["torch"]
    assert told["cores"] == os.cpu_count()
    assert "correct-horse" not in json.dumps(told)
