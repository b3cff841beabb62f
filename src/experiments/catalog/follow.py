"""Follow the log of a run."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from experiments import journal
from experiments.errors import InputError

_LOOK_SECONDS = 0.2


def log_of(folder: Path) -> Path | None:
    """Return the log in a run's folder that was written last; None if there is none."""
    return max(folder.glob("*.log"), key=lambda path: path.stat().st_mtime_ns, default=None)


def follow(folder: Path, last: int) -> Iterator[str]:
    """Yield the last lines of a run's log, then each new line until the run ends.

    Args:
        folder: the run's folder.
        last: the number of lines to begin with.

    Raises:
        InputError: the folder has no log.
    """
    log = log_of(folder)
    if log is None:
        raise InputError(
            f"{os.path.relpath(folder)}: holds no log; `experiments show` prints the run's epochs"
        )
    with log.open(errors="replace") as file:
        lines = file.readlines()
        torn = lines.pop() if lines and not lines[-1].endswith("\n") else ""
        yield from (line.rstrip("\n") for line in (lines[-last:] if last else []))
        is_open = True
        while is_open:
            is_open = journal.is_open(folder)  # asked first, so that no last line is missed
            for part in file.readlines():
                torn += part
                if torn.endswith("\n"):
                    yield torn.rstrip("\n")
                    torn = ""
            if is_open:
                time.sleep(_LOOK_SECONDS)
    if torn:
        yield torn
