"""The origin of a run: the commit, uncommitted changes, the machine, and all versions."""

from __future__ import annotations

import functools
import getpass
import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from experiments.files.safe_writes import write_all, write_atomically
from experiments.provenance.repository import (
    RepositoryError,
    is_within_repository,
    new_file,
    opened,
)
from experiments.redaction.hide import hidden_data, hidden_patch

_SOURCES = frozenset(
    {".py", ".cpp", ".h"}
)  # no YAML: it may hold passwords, and config.yaml has the settings
_LARGEST_SOURCE = 1_000_000  # bytes
_NOTE = ".commit.json"  # in a sweep's folder
PROJECT: ContextVar[Path | None] = ContextVar("PROJECT", default=None)
"""the project's folder if a script or a notebook trains a run of it, which may lie elsewhere"""


@dataclass(frozen=True)
class Commit:
    """The state of the source: a commit, and a patch of the uncommitted changes.

    The patch holds changes to tracked files and new source files. Other new files are only named.
    """

    sha: str | None
    """None if there is no commit yet, or git does not tell it"""
    patch: bytes
    problem: str | None = None
    """the reason why the state is not fully known"""

    @property
    def dirty(self) -> bool:
        """Whether the source differed from the commit."""
        return bool(self.patch)


def commit(folder: Path) -> Commit | None:
    """Return the commit that a folder stands at; None outside git.

    An error of git or of the repository is not raised; it becomes the `problem`.
    """
    if not is_within_repository(folder):
        return None
    sha = None
    try:
        with opened(folder) as repository:
            sha = repository.head
            if sha is None:
                return Commit(None, b"", "the repository has no commit yet")
            patch = [repository.differences()]
            patch += [_new(repository.top, name) for name in repository.untracked()]
            return Commit(sha, b"".join(patch))
    except RepositoryError as error:
        return Commit(sha, b"", str(error))


def commit_of_command(sweep: Path | None) -> Commit | None:
    """Return the commit of the project that this command runs; None outside git.

    This is the repository of the project that a script named, or of the program, train.py, or else
    of the current folder.

    Args:
        sweep: for a job, the folder of its sweep, which noted the commit for jobs on all machines;
            None for any other command.
    """
    if sweep is not None and (sweep / _NOTE).exists():
        noted = json.loads((sweep / _NOTE).read_text())
        return noted and Commit(**noted | {"patch": noted["patch"].encode("latin-1")})
    program = getattr(sys.modules["__main__"], "__file__", None)
    folder = PROJECT.get() or (Path(program).parent if program is not None else None)
    if folder is not None and (found := commit(folder)):
        return found
    return commit(Path.cwd())


def note_commit(source: Commit | None, sweep: Path) -> None:
    """Note the commit of a sweep in its folder, for `commit_of_command` in its jobs."""
    noted = source and asdict(source) | {"patch": hidden_patch(source.patch).decode("latin-1")}
    write_atomically(sweep / _NOTE, json.dumps(noted).encode())


def _new(top: Path, name: bytes) -> bytes:
    path = top / os.fsdecode(name)
    told = new_file(path, name) if _is_source(path) else None
    return told or b"left out, untracked and no source: " + name + b"\n"


def _is_source(path: Path) -> bool:
    # Other new files may be secret (.env) or large, and do not determine the result.
    regular = path.is_file() and not path.is_symlink()
    return regular and path.suffix in _SOURCES and path.stat().st_size <= _LARGEST_SOURCE


@functools.cache
def environment() -> Mapping[str, Any]:
    """Return the machine and all installed versions, but no environment variables."""
    packages = {item.metadata["Name"]: item.version for item in metadata.distributions()}
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "packages": dict(sorted(packages.items(), key=lambda item: item[0].lower())),
    }


@functools.cache
def version(package: str) -> str:
    """Return the installed version of a package."""
    return metadata.version(package)


def processor() -> str:
    """Return the processor's model, as far as the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def tags(source: Commit | None) -> dict[str, str]:
    """Return searchable tags of a run's origin, under MLflow's names if MLflow has any."""
    found = {
        "version.experiments": version("experiments"),
        "version.python": platform.python_version(),
        "version.torch": version("torch"),
        "mlflow.source.name": "train.py",
        "mlflow.source.type": "LOCAL",
        "mlflow.user": _user(),
    }
    if source is not None and source.sha is not None:
        found |= {"mlflow.source.git.commit": source.sha, "git_commit": source.sha}
        if source.problem is None:
            found["git_dirty"] = str(source.dirty).lower()
    if source is not None and source.problem is not None:
        found["git_problem"] = source.problem
    return found


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return str(os.getuid())


ORIGIN = ("config.yaml", "overrides.yaml", "identity.json", "environment.json", "git.patch")
"""the files that describe the origin of a run"""


def write_origin(
    folder: Path,
    config: Mapping[str, Any],
    overrides: Sequence[str],
    ingredients: Mapping[str, Any],
    source: Commit | None,
) -> list[str]:
    """Write the files that describe the origin of a run, without secrets; return their names.

    Args:
        folder: the run's folder.
        config: the configuration, in its public form.
        overrides: the overrides of the command line.
        ingredients: the ingredients of the run's identity, in their public form.
        source: the state of the source.
    """
    files = {
        "config.yaml": yaml.safe_dump(hidden_data(config), sort_keys=False).encode(),
        "overrides.yaml": yaml.safe_dump(hidden_data(overrides)).encode(),
        "identity.json": json.dumps(hidden_data(ingredients), indent=2, sort_keys=True).encode(),
        "environment.json": json.dumps(hidden_data(environment()), indent=2).encode(),
    }
    if source is not None and source.dirty:
        files["git.patch"] = hidden_patch(source.patch)
    write_all(folder, files)
    return list(files)
