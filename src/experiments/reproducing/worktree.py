"""The code of a run: its commit and patch in a clean worktree, or the present code."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from experiments.differences.record import Record
from experiments.differences.section import counted
from experiments.errors import RunError
from experiments.provenance.repository import RepositoryError, is_within_repository, opened

PROGRAM = "train.py"
_SHORT = 12
_LEFT_OUT = re.compile(rb"(?m)^left out, (?:untracked and no source|git filters it): (.*)$")
_HIDDEN = b"secrets are hidden above\n"


@dataclass(frozen=True)
class Code:
    """The code to train with."""

    project: Path
    """the folder of train.py"""
    top: Path | None
    """the top folder of the worktree; None for the present code"""
    instead_of: Path | None
    """the top folder of the user's own working tree"""
    restored: str
    """the code, in words"""
    lacking: Sequence[str]
    """sentences about code that cannot be restored"""


@contextmanager
def restored(record: Record, project: Path, place: Path, *, keep: bool) -> Iterator[Code]:
    """Check out the commit of a run with its uncommitted changes; remove it afterwards.

    The user's working tree, index and branches stay as they are. No hook runs.

    Args:
        record: the run.
        project: the folder of the present train.py.
        place: the new folder of the worktree.
        keep: whether to keep the worktree.

    Raises:
        RunError: the commit is not in the repository, or its changes cannot be restored.
    """
    sha = record.commit
    if sha is None or not is_within_repository(project):
        yield _present(record, project)
        return
    top, history = _found(project, sha)
    inside = project.relative_to(top)
    try:
        _git(top, "worktree", "add", "--quiet", "--detach", str(place), sha)
        lacking = [*_submodules(place), *_apply(record, place)]
        if not (place / inside / PROGRAM).exists():
            raise RunError(f"{inside / PROGRAM}: is not in the commit {sha[:_SHORT]} of the run")
        code = f"commit {sha[:_SHORT]} ({history})"
        if files := len(re.findall(rb"(?m)^diff --git ", record.patch)):
            code += f", and its uncommitted changes in {counted(files, 'file')}"
        yield Code(place / inside, place, top, code, lacking)
    finally:
        if place.exists() and not keep:
            _git(top, "worktree", "remove", "--force", "--force", str(place))  # even if locked


def _present(record: Record, project: Path) -> Code:
    reason = "the run was trained outside git"
    if record.commit is not None:
        reason = f"this folder is outside git, so that commit {record.commit[:_SHORT]} is not here"
    elif problem := record.tags.get("git_problem"):
        reason = f"git did not tell the commit ({problem})"
    return Code(project, None, None, "the present code", [f"{reason}: the present code is used"])


def _found(project: Path, sha: str) -> tuple[Path, str]:
    """Return the top folder of the repository, and the place of a commit in its history."""
    try:
        with opened(project) as repository:
            if not repository.holds(sha):
                raise RunError(_gone(repository.top, sha))
            ahead, behind = repository.apart(repository.head or sha, sha)
    except RepositoryError as error:
        raise RunError(
            f"the commit {sha[:_SHORT]} of the run cannot be restored: {error}"
        ) from error
    history = "HEAD" if not ahead + behind else f"{counted(ahead, 'commit')} before HEAD"
    if behind:
        history = f"not in the history of HEAD, {counted(behind, 'commit')} beside it"
    return repository.top, history


def _gone(top: Path, sha: str) -> str:
    told = subprocess.run(
        ["git", "rev-parse", "--is-shallow-repository"], cwd=top, capture_output=True, check=False
    )
    fetch = "git fetch --unshallow" if told.stdout.strip() == b"true" else "git fetch --all"
    return (
        f"the commit {sha[:_SHORT]} of the run is not in this repository: `{fetch}` brings it from "
        "a repository that has it"
    )


def _apply(record: Record, place: Path) -> list[str]:
    """Apply git.patch; return sentences about everything that it lacks."""
    lacking = [
        f"{os.fsdecode(name)} was not committed, and git.patch leaves it out"
        for name in _LEFT_OUT.findall(record.patch)
    ]
    if problem := record.missing.get("git.patch"):
        lacking.append(f"the uncommitted changes: {problem}")
    if problem := record.tags.get("git_problem"):
        lacking.append(f"the uncommitted changes are not recorded: {problem}")
    if record.patch.endswith(_HIDDEN):
        lacking.append("git.patch hides secrets, so that the restored code has *** in their place")
    if b"\ndiff --git " in b"\n" + record.patch:
        options = ("--binary", "--whitespace=nowarn", "--no-ignore-whitespace")
        _git(place, "apply", *options, given=record.patch)
    return lacking


def _submodules(place: Path) -> Iterator[str]:
    """Yield a sentence about each submodule, which a worktree does not check out."""
    told = _git(place, "ls-files", "-z", "--stage")
    for entry in told.split(b"\0"):
        if entry.startswith(b"160000 "):
            name = os.fsdecode(entry.partition(b"\t")[2])
            yield f"the submodule {name} is not checked out"


def _git(folder: Path, *arguments: str, given: bytes = b"") -> bytes:
    """Run git without hooks and without the variables that a hook sets.

    Raises:
        RunError: git ended with an error.
    """
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    process = subprocess.Popen(
        ["git", "-c", f"core.hooksPath={os.devnull}", *arguments],
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C does not reach it
    )
    with process:
        try:
            output, errors = process.communicate(given)
        except BaseException:
            process.communicate()  # a whole worktree can be removed, half of one cannot
            raise
    if process.returncode:
        said = " ".join(errors.decode(errors="replace").split())
        raise RunError(f"the code of the run cannot be restored: git {arguments[0]}: {said}")
    return output
