"""A terminal in this process, and a pseudo-terminal for a program in another process."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence
from pathlib import Path

_CODE = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])")
_COLOURS = {*map(str, range(30, 39)), *map(str, range(40, 49)), *map(str, range(90, 108))}


class Terminal(io.StringIO):
    """A stream in memory that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def shown_lines(output: str) -> list[str]:
    """Return the lines that a terminal has shown, without escape codes, overwritten ones too."""
    return [line for line in re.split(r"[\r\n]+", _CODE.sub("", output)) if line]


def colours_in(output: str) -> set[str]:
    """Return the numbers of the colours that an output sets."""
    codes = [number for number, kind in _CODE.findall(output) if kind == "m"]
    return {part for code in codes for part in code.split(";")} & _COLOURS


def run_on_terminal(
    command: Sequence[str], columns: int, *, cwd: Path, environment: Mapping[str, str]
) -> tuple[int, str]:
    """Run a command on a pseudo-terminal; return its exit code and its output.

    The environment describes no terminal to it, not even by the variables of pytest.
    """
    described = {"COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"}
    kept = {key: value for key, value in environment.items() if key not in described}
    screen, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    process = subprocess.Popen(
        command, cwd=cwd, env=kept | {"TERM": "xterm"}, stdin=its, stdout=its, stderr=its, text=True
    )
    os.close(its)
    received = b""
    try:
        while chunk := os.read(screen, 65536):
            received += chunk
    except OSError:  # Linux raises this when the terminal is closed
        pass
    finally:
        os.close(screen)
    return process.wait(30), received.decode()
