"""The terminal of a process that a signal reaches.

A signal may come in the middle of a line, and `logging` and `print` are not reentrant. So the calls
of the system write.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal

_SHOW_CURSOR = b"\x1b[?25h"  # a progress bar hides it
_CLEAR_LINE = "\r\x1b[2K"  # the bar is drawn again below


def tell(signum: int, text: str) -> None:
    """Print a line about a signal."""
    line = f"{signal.Signals(signum).name}: {text}\n"
    with contextlib.suppress(OSError):
        os.write(1, ((_CLEAR_LINE if os.isatty(1) else "") + line).encode())


def show_cursor() -> None:
    """Show the cursor of the terminal, if there is one."""
    with contextlib.suppress(OSError):
        if os.isatty(1):
            os.write(1, _SHOW_CURSOR)


def let_go() -> None:
    """Redirect output to a closed terminal to the null device, so that writing raises no errors."""
    poller = select.poll()
    for number in (1, 2):
        poller.register(number, 0)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for number, event in poller.poll(0):
        if event & select.POLLHUP:
            os.dup2(nowhere, number)
    os.close(nowhere)
