"""What is said in one line: the user's mistakes, and what stopped a run."""

from __future__ import annotations

import difflib
import errno
import os
import shutil
from collections.abc import Collection
from pathlib import Path

_FEW = 12  # options that fit into a line


class InputError(Exception):
    """A wrong key, value, file or device. Its text is one line naming what to do; exit code 2."""


class AliveError(InputError):
    """Another process trains the run; it can be waited for."""


class RunError(Exception):
    """What stopped a run from outside. Its text is one line naming what to do; exit code 1."""


def no_space(error: OSError, path: Path, needed: int) -> Exception:
    """Return the error to raise where `path` could not be written; itself if not for a full disk.

    Args:
        error: what the system said.
        path: the file.
        needed: its size in bytes.
    """
    if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
        return error
    free = shutil.disk_usage(path.parent).free
    return RunError(
        f"{os.path.relpath(path)}: the disk is full: {needed:,} bytes are needed and {free:,} are "
        "free; what was saved before is whole: make room and repeat the command, which continues "
        "the run"
    )


def did_you_mean(word: str, known: Collection[str]) -> str:
    """Return a question naming the closest of `known`, else what there is to choose from.

    Dotted keys are compared by their last part, so that a shared prefix is no likeness; a key that
    is known elsewhere under the same last part is found as well.
    """
    last = word.rpartition(".")[2]
    beside = sorted(key for key in known if key.rpartition(".")[0] == word.rpartition(".")[0])
    options = {key.rpartition(".")[2]: key for key in (*known, *beside)}
    close = difflib.get_close_matches(last, options, n=1, cutoff=0.6)
    if close:
        return f"did you mean {options[close[0]]}?"
    if beside and len(beside) <= _FEW:
        return f"choose from {', '.join(beside)}"
    return "`python train.py --help` lists what there is"
