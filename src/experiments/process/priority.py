"""The priority of a process that nobody waits for."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_LOWEST = 19
_AUTOGROUP = Path("/proc/self/autogroup")


def give_way() -> None:
    """Let every other process go first, from now on.

    Linux may weigh whole sessions instead of processes. The priority of a process then counts only
    within its session, so the session is put last as well: see sched(7), "The autogroup feature".
    """
    os.nice(_LOWEST - os.nice(0))
    with contextlib.suppress(OSError):  # another system, or without the feature
        _AUTOGROUP.write_text(f"{_LOWEST}")
