"""Where a run comes from: the commit and what differs from it, the machine, every version."""

from __future__ import annotations

import functools
import getpass
import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from experiments.redaction import hidden_data, hidden_patch

_SOURCES = frozenset({".py"})  # settings may hold passwords, and config.yaml has those of the run
_LARGEST_SOURCE = 1_000_000  # bytes


@dataclass(frozen=True)
class Commit:
    """The state of the source: a commit, and as a patch what was not committed.

    The patch holds changes to tracked files and new source files; other new files it only names.
    """

    sha: str
    patch: bytes

    @property
    def dirty(self) -> bool:
        """Whether the source differed from the commit."""
        return bool(self.patch)


def commit(folder: Path) -> Commit | None:
    """Return the commit a folder stands at; None outside git, without git or without a commit."""
    try:
        sha = _git(folder, "rev-parse", "HEAD").decode().strip()
    except (OSError, subprocess.CalledProcessError):
        return None
    top = Path(_git(folder, "rev-parse", "--show-toplevel").decode().strip())
    patch = _git(top, "diff", "--binary", "HEAD")
    untracked = _git(top, "ls-files", "-z", "--others", "--exclude-standard").split(b"\0")
    for name in filter(None, untracked):
        if _is_source(top / os.fsdecode(name)):
            patch += _git(
                top, "diff", "--binary", "--no-index", "--", os.devnull, os.fsdecode(name)
            )
        else:
            patch += b"left out, untracked and no source: " + name + b"\n"
    return Commit(sha, patch)


def _is_source(path: Path) -> bool:
    # What else lies about may be secret (.env) or large, and determines no result.
    regular = path.is_file() and not path.is_symlink()
    return regular and path.suffix in _SOURCES and path.stat().st_size <= _LARGEST_SOURCE


def _git(folder: Path, *arguments: str) -> bytes:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, check=False)
    differs = "--no-index" in arguments and done.returncode == 1
    if done.returncode and not differs:
        raise subprocess.CalledProcessError(done.returncode, done.args, done.stdout, done.stderr)
    return done.stdout


@functools.cache
def environment() -> Mapping[str, Any]:
    """Return the machine and all installed versions. Nothing of the process's environment."""
    packages = {item.metadata["Name"]: item.version for item in metadata.distributions()}
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "packages": dict(sorted(packages.items(), key=lambda item: item[0].lower())),
    }


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
    """Return what is searchable of where a run comes from, where possible under MLflow's names."""
    found = {
        "version.experiments": version("experiments"),
        "version.python": platform.python_version(),
        "version.torch": version("torch"),
        "mlflow.source.name": "train.py",
        "mlflow.source.type": "LOCAL",
        "mlflow.user": _user(),
    }
    if source is not None:
        found |= {
            "mlflow.source.git.commit": source.sha,
            "git_commit": source.sha,
            "git_dirty": str(source.dirty).lower(),
        }
    return found


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return str(os.getuid())


def write_origin(
    folder: Path,
    config: Mapping[str, Any],
    overrides: Sequence[str],
    ingredients: Mapping[str, Any],
    source: Commit | None,
) -> list[str]:
    """Write what a run was made from, without secrets; return the files' names.

    Args:
        folder: the run's folder.
        config: the configuration as it may be recorded.
        overrides: what the command line changed.
        ingredients: what the run's identity is the hash of, as it may be recorded.
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
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return list(files)
