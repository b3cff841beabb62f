"""Errors that print as one line: mistakes of the user, and causes outside that stop a run."""

from __future__ import annotations

import difflib
import errno
import os
import shutil
from collections.abc import Collection, Sequence
from pathlib import Path

_FEW = 12  # at most so many options fit into a line


class InputError(Exception):
    """A wrong key, value, file or device. Its text is one line with advice; exit code 2."""


class AliveError(InputError):
    """Another process trains the run; the caller can wait for it."""


class RunError(Exception):
    """A cause outside the program stopped a run. Its text is one line with advice; exit code 1."""


class ElsewhereError(RunError):
    """Another process of the run has failed and prints the reason; this one ends without a line."""


_MISUSE = {
    errno.ELOOP: "is a link; remove it, since somebody else may have put it there",
    errno.EISDIR: "is a folder; remove it",
    errno.ENOTDIR: "lies below something that is no folder; name another place",
    errno.EEXIST: "something else has that name; remove it",
    errno.ENAMETOOLONG: "the name is too long for this file system; name a shorter place",
    errno.EACCES: "the permission is missing; make it writable",
    errno.EPERM: "the permission is missing; make it writable",
}
_GOES_ON = "everything saved before is intact: {advice} and repeat the command"


def unwritable(error: OSError, path: Path, needed: int = 0) -> InputError | RunError:
    """Return the error to raise when `path` could not be written.

    Args:
        error: the error of the operating system.
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
    """Return the error to raise when `path` could not be read, for any error of the system."""
    return InputError(
        f"{os.path.relpath(path)}: cannot be read ({error.strerror}); make it readable, or restore "
        "it"
    )


def text_of(error: BaseException) -> str:
    """Return the text of an error from user code, even if the text is empty or `str` fails."""
    try:
        return str(error) or "it has no message"
    except Exception as raised:  # noqa: BLE001  (a text must not stop anything)
        return f"its text cannot be read ({type(raised).__name__})"


def shortened(text: str, longest: int) -> str:
    """Return a text cut to at most `longest` characters, at the ends of words.

    The cut is in the middle: the beginning names the key and the end holds the advice.
    """
    if len(text) <= longest:
        return text
    half = (longest - len(" … ")) // 2
    start, end = text[:half], text[-half:]
    return f"{start.rpartition(' ')[0] or start} … {end.partition(' ')[2] or end}"


def misfit(
    part: str, cls: str, unknown: Sequence[str], known: Sequence[str], added: Sequence[str] = ()
) -> str:
    """Return the message about arguments that the class of a part does not take.

    The YAML file of the part sets them. When the user changed only `_target_`, the message
    proposes the overrides that remove them.

    Args:
        part: the part of the configuration.
        cls: the class.
        unknown: the arguments that it does not take.
        known: the arguments that it takes.
        added: overrides that set its missing arguments.
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
    """Return a question naming the closest of `known`, or else a list of the choices.

    Dotted keys are compared by their last part, because keys with a shared prefix would all look
    alike. So a key with the same last part under another prefix is found as well.
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
    option = "--cfg hydra" if word.startswith("hydra.") else "--help"
    return f"`python train.py {option}` lists all parts and keys"
