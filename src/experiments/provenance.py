"""Where a run comes from: the commit and what differs from it, the machine, every version."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

_SOURCES = frozenset({".py", ".yaml", ".yml", ".toml"})
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


def environment() -> dict[str, Any]:
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
