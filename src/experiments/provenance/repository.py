"""A git repository, read without changing any of its files.

Git's output depends on its configuration, on the attributes of the files and on the environment,
which git changes in a hook. So this module calls only plumbing commands, fixes every option that
matters, and works on a copy of the index. None of the user's programs runs: no filter, no external
diff, no file monitor.
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

_SECONDS = 10.0  # for all calls to one repository together
_KEPT = ("GIT_CONFIG", "GIT_EXEC_PATH")  # they may set safe.directory, and git's own folder
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
    """Git does not answer, or refuses; the text gives the reason in one line."""


def is_within_repository(folder: Path) -> bool:
    """Return whether a folder lies in a git repository, even a damaged one."""
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
            RepositoryError: git is missing or too slow, or does not accept the repository.
        """
        self._deadline = time.monotonic() + _SECONDS
        self._settings: tuple[str, ...] = ()
        self._environment: dict[str, str] = _ENVIRONMENT
        self.top = folder.resolve()
        asked = ("--revs-only", "--show-cdup", "--git-path", "index", "HEAD")
        up, rest = self._git("rev-parse", *asked).split(b"\n", 1)
        found = re.fullmatch(rb"(.*?)\n(?:([0-9a-f]{40,64})\n)?", rest, flags=re.DOTALL)
        if found is None:
            raise RepositoryError("git rev-parse: did not name the index")
        index = self.top / os.fsdecode(found[1])
        self.head = found[2].decode() if found[2] else None
        """the commit that is checked out; None before the first commit"""
        self.top = (self.top / os.fsdecode(up)).resolve()
        """the top folder of the working tree"""
        if index.exists():
            shutil.copy2(index, copies / "index")  # with its time: git needs it to find changes
        self._environment = _ENVIRONMENT | {"GIT_INDEX_FILE": str(copies / "index")}
        self._settings = tuple(self._without_filters())

    def differences(self) -> bytes:
        """Return the uncommitted changes to tracked files, as a patch for `git apply`.

        Files with a git filter, such as git-lfs, are only named.

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
        """Return the names of files that git neither tracks nor ignores, relative to `top`.

        Raises:
            RepositoryError: git does not answer, or refuses.
        """
        return _split(self._git("ls-files", "-z", "--others", "--exclude-standard"))

    def holds(self, sha: str) -> bool:
        """Return whether the repository holds a commit.

        Raises:
            RepositoryError: git does not answer.
        """
        told = self._git("cat-file", "--batch-check", given=f"{sha}^{{commit}}\n".encode())
        return told.split(b" ")[1:2] == [b"commit"]

    def apart(self, one: str, other: str) -> tuple[int, int]:
        """Return the numbers of commits that only `one` has in its history, and only `other`.

        Raises:
            RepositoryError: git does not answer, or lacks one of the two.
        """
        told = self._git("rev-list", "--left-right", "--count", f"{one}...{other}", "--")
        left, right = told.split()
        return int(left), int(right)

    def _without_filters(self) -> Iterator[str]:
        """Yield settings that switch off the programs of all filters."""
        told = self._git("config", "-z", "--name-only", "--get-regexp", r"^filter\.", codes=(0, 1))
        for name in sorted({os.fsdecode(key).rpartition(".")[0] for key in _split(told)}):
            yield from (f"{name}.clean=", f"{name}.smudge=", f"{name}.process=")
            yield f"{name}.required=false"

    def _filtered(self) -> bytes:
        """Return the changed files that have a filter, and make git treat them as unchanged.

        Without their filters git cannot tell whether their content changed.
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
        inherited.pop("GIT_CONFIG", None)  # only `git config` would obey it
        settings = [part for each in (*_SETTINGS, *self._settings) for part in ("-c", each)]
        try:
            process = subprocess.Popen(
                ["git", "--no-pager", *settings, *arguments],
                cwd=self.top,
                env=inherited | self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # so that git's children can be killed with it
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
    """Open the repository that a folder lies in, with a temporary copy of its index.

    Raises:
        RepositoryError: git is missing or too slow, or does not accept the repository.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="experiments-") as copies:
            yield Repository(folder, Path(copies))
    except OSError as error:
        raise RepositoryError(f"its index cannot be read ({error})") from error


def new_file(path: Path, name: bytes) -> bytes | None:
    """Return a patch that creates a file; None if the file is no text or cannot be read.

    Git would need a process for each file, or write into the repository. The format is described in
    git-diff's manual, "Generating patch text with -p".

    Args:
        path: the file.
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
    is_open = bool(lines[-1])  # the last line has no newline
    if not is_open:
        lines.pop()
    body = b"".join(b"+" + line + b"\n" for line in lines)
    end = b"\\ No newline at end of file\n" if is_open else b""
    hunk = b"@@ -0,0 +1,%d @@\n" % len(lines)
    return head + b"--- /dev/null\n+++ " + new + b"\n" + hunk + body + end


def _escaped(name: bytes) -> bytes:
    """Return a name with the escapes of C, as git quotes it."""
    plain = set(range(0x20, 0x7F)) - set(b'"\\')
    return b"".join(b"%c" % byte if byte in plain else b"\\%03o" % byte for byte in name)


def _split(names: bytes) -> list[bytes]:
    return [name for name in names.split(b"\0") if name]
