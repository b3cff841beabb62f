"""What is said in one line: the user's mistakes, and what stopped a run."""

from __future__ import annotations

import difflib
import errno
import os
import shutil
from collections.abc import Collection, Sequence
from pathlib import Path

_FEW = 12  # options that fit into a line


class InputError(Exception):
    """A wrong key, value, file or device. Its text is one line naming what to do; exit code 2."""


class AliveError(InputError):
    """Another process trains the run; it can be waited for."""


class RunError(Exception):
    """What stopped a run from outside. Its text is one line naming what to do; exit code 1."""


_MISUSE = {
    errno.ELOOP: "is a link; remove it, since somebody else may have put it there",
    errno.EISDIR: "is a folder; remove it",
    errno.ENOTDIR: "lies below something that is no folder; name another place",
    errno.EEXIST: "something else has that name; remove it",
    errno.ENAMETOOLONG: "the name is too long for this file system; name a shorter place",
    errno.EACCES: "the permission is missing; make it writable",
    errno.EPERM: "the permission is missing; make it writable",
}
_GOES_ON = (
    "what was saved before is whole: {advice} and repeat the command, which continues the run"
)


def unwritable(error: OSError, path: Path, needed: int = 0) -> InputError | RunError:
    """Return the error to raise where `path` could not be written.

    Args:
        error: what the system said.
        path: the file or folder.
        needed: its size in bytes.
    """
    place = os.path.relpath(path)
    if error.errno in _MISUSE:
        return InputError(f"{place}: cannot be written: {_MISUSE[error.errno]}")
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        free = shutil.disk_usage(path.parent).free
        return RunError(
            f"{place}: the disk is full: {needed:,} bytes are needed and {free:,} are free; "
            f"{_GOES_ON.format(advice='make room')}"
        )
    if error.errno == errno.EFBIG:
        return RunError(
            f"{place}: {needed:,} bytes are needed and files may not grow so large here; "
            f"{_GOES_ON.format(advice='lift the limit (`ulimit -f unlimited`)')}"
        )
    return RunError(
        f"{place}: cannot be written ({error.strerror}); {_GOES_ON.format(advice='mend the disk')}"
    )


def unreadable(error: OSError, path: Path) -> InputError:
    """Return the error to raise where `path` could not be read, whatever the system said."""
    return InputError(
        f"{os.path.relpath(path)}: cannot be read ({error.strerror}); make it readable, or restore "
        "it"
    )


def text_of(error: BaseException) -> str:
    """Return what an error of the user's says, even if it says nothing or cannot say it."""
    try:
        return str(error) or "it says no more"
    except Exception as raised:  # noqa: BLE001  (a text must not stop anything)
        return f"its text cannot be had ({type(raised).__name__})"


def shortened(text: str, longest: int) -> str:
    """Return a text of at most so many characters, cut at the ends of words.

    Its beginning, which names the key, and its end, which says what to do, are kept.
    """
    if len(text) <= longest:
        return text
    half = (longest - len(" … ")) // 2
    start, end = text[:half], text[-half:]
    return f"{start.rpartition(' ')[0] or start} … {end.partition(' ')[2] or end}"


def misfit(
    part: str, cls: str, unknown: Sequence[str], known: Sequence[str], added: Sequence[str] = ()
) -> str:
    """Return what to do about arguments that a part's class does not take.

    The part's file names them; after a change of `_target_` alone they are to be removed.

    Args:
        part: the part of the configuration.
        cls: the class.
        unknown: the arguments that it does not take.
        known: those that it takes.
        added: overrides that give it what is missing.
    """
    if len(unknown) == 1 and not added:
        keys = [f"{part}.{name}" for name in known]
        question = did_you_mean(f"{part}.{unknown[0]}", keys)
        if question.startswith("did"):
            return f"{part}.{unknown[0]}: unknown key; {question} (~{part}.{unknown[0]} removes it)"
    takes = f"; it takes {', '.join(known)}" if len(known) <= _FEW else ""
    removed = [f"~{part}.{name}" for name in unknown]
    overrides = " ".join([*removed, *added])
    return f"{part}: {cls} takes no {', '.join(unknown)}{takes}; add to the command: {overrides}"


def did_you_mean(word: str, known: Collection[str]) -> str:
    """Return a question naming the closest of `known`, else what there is to choose from.

    Dotted keys are compared by their last part, so that a shared prefix is no likeness; a key that
    is known elsewhere under the same last part is found as well.
    """
    known = list(dict.fromkeys(known))
    last = word.rpartition(".")[2]
    beside = sorted(key for key in known if key.rpartition(".")[0] == word.rpartition(".")[0])
    options = {key.rpartition(".")[2]: key for key in (*known, *beside)}
    close = difflib.get_close_matches(last, options, n=1, cutoff=0.6)
    if close:
        return f"did you mean {options[close[0]]}?"
    if beside and len(beside) <= _FEW:
        return f"choose from {', '.join(beside)}"
    return "`python train.py --help` lists what there is"
