"""A git repository as it lies on the disk, read without changing a byte of it.

What git says depends on its configuration, on the attributes of the files and on the environment,
which a hook sets for its own ends. So only plumbing is called, with every option that matters
fixed, on a copy of the index, and none of the user's programs runs: no filter, no external diff, no
file monitor.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_SECONDS = 10.0  # for all that is asked of one repository
_KEPT = ("GIT_CONFIG", "GIT_EXEC_PATH")  # who may be trusted, and where git is
_ENVIRONMENT = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_LITERAL_PATHSPECS": "1",
    "LC_ALL": "C",
}
_SETTINGS = (
    "core.fsmonitor=",
    "core.untrackedCache=false",
    "core.splitIndex=false",
    "core.safecrlf=false",
    "core.quotePath=true",
    "diff.suppressBlankEmpty=false",
)
_DIFF = (
    *("--binary", "--full-index", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames"),
    *("--src-prefix=a/", "--dst-prefix=b/", "--no-relative", "--unified=3", "-O/dev/null"),
    *("--inter-hunk-context=0", "--diff-algorithm=default", "--submodule=short"),
    "--ignore-submodules=untracked",
)


class RepositoryError(Exception):
    """Git does not answer, or refuses; the text says why in one line."""


def is_within_repository(folder: Path) -> bool:
    """Return whether a folder lies in a git repository, sound or not."""
    place = folder.resolve()
    return any(os.path.lexists(above / ".git") for above in (place, *place.parents))


class Repository:
    """The repository that a folder lies in, and the state of its working tree."""

    def __init__(self, folder: Path, copies: Path) -> None:
        """Find the repository.

        Args:
            folder: a folder of its working tree.
            copies: an empty folder for the copy of the index.

        Raises:
            RepositoryError: git is not there, too slow, or does not take it for one.
        """
        self._deadline = time.monotonic() + _SECONDS
        self._settings: tuple[str, ...] = ()
        self._environment: dict[str, str] = _ENVIRONMENT
        self.top = folder.resolve()
        asked = ("--revs-only", "--show-cdup", "--git-path", "index", "HEAD")
        up, rest = self._git("rev-parse", *asked).split(b"\n", 1)
        found = re.fullmatch(rb"(.*?)\n(?:([0-9a-f]{40,64})\n)?", rest, flags=re.DOTALL)
        if found is None:
            raise RepositoryError("git rev-parse: has not told where the index is")
        index = self.top / os.fsdecode(found[1])
        self.head = found[2].decode() if found[2] else None
        """the commit it stands at; None before the first one"""
        self.top = (self.top / os.fsdecode(up)).resolve()
        """its uppermost folder"""
        if index.exists():
            shutil.copy2(index, copies / "index")  # its time tells git which files may have changed
        self._environment = _ENVIRONMENT | {"GIT_INDEX_FILE": str(copies / "index")}
        self._settings = tuple(self._without_filters())

    def differences(self) -> bytes:
        """Return what differs from the commit in files that git tracks, as `git apply` takes it.

        Files that pass through a filter on their way, such as git-lfs, are only named.

        Raises:
            RepositoryError: git does not answer, or refuses.
        """
        self._git("update-index", "-q", "--refresh", codes=(0, 1))
        named = self._filtered() if self._settings else b""
        patch = self._git("diff-index", "--patch", *_DIFF, "HEAD", "--")
        return patch + b"".join(
            b"left out, git filters it: " + name + b"\n" for name in _split(named)
        )

    def untracked(self) -> list[bytes]:
        """Return the names of files that git neither tracks nor ignores, from the uppermost folder.

        Raises:
            RepositoryError: git does not answer, or refuses.
        """
        return _split(self._git("ls-files", "-z", "--others", "--exclude-standard"))

    def _without_filters(self) -> Iterator[str]:
        """Yield settings that take the programs away that files would be passed through."""
        told = self._git("config", "-z", "--name-only", "--get-regexp", r"^filter\.", codes=(0, 1))
        for name in sorted({os.fsdecode(key).rpartition(".")[0] for key in _split(told)}):
            yield from (f"{name}.clean=", f"{name}.smudge=", f"{name}.process=")
            yield f"{name}.required=false"

    def _filtered(self) -> bytes:
        """Return the changed files that a filter should read, and have git take them as unchanged.

        Without their filters git cannot tell whether they are.
        """
        changed = self._git("diff-files", "-z", "--name-only", "--ignore-submodules")
        if not changed:
            return b""
        told = _split(self._git("check-attr", "-z", "--stdin", "filter", given=changed))
        plain = {b"unspecified", b"unset", b"set"}
        names = [
            name for name, value in zip(told[::3], told[2::3], strict=True) if value not in plain
        ]
        given = b"".join(name + b"\0" for name in names)
        if given:
            self._git("update-index", "--assume-unchanged", "-z", "--stdin", given=given)
        return given

    def _git(self, *arguments: str, given: bytes = b"", codes: Sequence[int] = (0,)) -> bytes:
        inherited = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith("GIT_") or key.startswith(_KEPT)
        }
        inherited.pop("GIT_CONFIG", None)  # the file that `git config` alone would read
        settings = [part for each in (*_SETTINGS, *self._settings) for part in ("-c", each)]
        try:
            process = subprocess.Popen(
                ["git", "--no-pager", *settings, *arguments],
                cwd=self.top,
                env=inherited | self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # so that what git has started ends with it
            )
        except OSError as error:
            raise RepositoryError(f"git cannot be run ({error.strerror})") from error
        with process:
            try:
                left = max(0.0, self._deadline - time.monotonic())
                output, errors = process.communicate(given, timeout=left)
            except subprocess.TimeoutExpired:
                raise RepositoryError(
                    f"git {arguments[0]}: has not answered in {_SECONDS:.0f} s"
                ) from None
            finally:
                if process.poll() is None:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
        if process.returncode not in codes:
            said = " ".join(errors.decode(errors="replace").split())[:500]
            raise RepositoryError(
                f"git {arguments[0]}: {said or f'ended with {process.returncode}'}"
            )
        return output


@contextmanager
def opened(folder: Path) -> Iterator[Repository]:
    """Open the repository that a folder lies in, with a copy of its index for the while.

    Raises:
        RepositoryError: git is not there, too slow, or does not take it for one.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="experiments-") as copies:
            yield Repository(folder, Path(copies))
    except OSError as error:
        raise RepositoryError(f"its index cannot be read ({error})") from error


def new_file(path: Path, name: bytes) -> bytes | None:
    """Return a patch that makes a text file; None for one that is no text or cannot be read.

    Written here, since git would need a process for each or write into the repository. The format
    is that of git-diff's manual, "Generating patch text with -p".

    Args:
        path: where the file is.
        name: its name in the repository.
    """
    try:
        content, mode = path.read_bytes(), path.stat().st_mode
    except OSError:
        return None
    if b"\0" in content:
        return None
    old, new = (b'"' + side + b"/" + _escaped(name) + b'"' for side in (b"a", b"b"))
    kind = b"100755" if mode & 0o100 else b"100644"
    head = b"diff --git " + old + b" " + new + b"\nnew file mode " + kind + b"\n"
    if not content:
        return head + b"index 0000000..e69de29\n"
    lines = content.split(b"\n")
    is_open = bool(lines[-1])  # the last line does not end
    if not is_open:
        lines.pop()
    body = b"".join(b"+" + line + b"\n" for line in lines)
    end = b"\\ No newline at end of file\n" if is_open else b""
    hunk = b"@@ -0,0 +1,%d @@\n" % len(lines)
    return head + b"--- /dev/null\n+++ " + new + b"\n" + hunk + body + end


def _escaped(name: bytes) -> bytes:
    """Return a name as git quotes it, in C's way."""
    plain = set(range(0x20, 0x7F)) - set(b'"\\')
    return b"".join(b"%c" % byte if byte in plain else b"\\%03o" % byte for byte in name)


def _split(names: bytes) -> list[bytes]:
    return [name for name in names.split(b"\0") if name]
