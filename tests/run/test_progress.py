"""Without a terminal there is no bar; on a terminal the bar leaves the printed lines whole."""

from __future__ import annotations

import io
import logging
import os
import pty
import subprocess
import sys

import pytest

from experiments.process.logs import StdoutHandler
from experiments.run.progress import progress_bar


def test_without_a_terminal_nothing_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar(3) as advance:
        advance()
    assert capsys.readouterr().out == ""


def test_the_handler_follows_stdout(monkeypatch: pytest.MonkeyPatch) -> None:
    handler = StdoutHandler()
    for _ in range(2):
        stream = io.StringIO()
        monkeypatch.setattr(sys, "stdout", stream)
        handler.emit(logging.LogRecord("x", logging.INFO, "", 0, "said", None, None))
        assert stream.getvalue() == "said\n"


def test_on_a_terminal_lines_stay_whole_above_the_bar() -> None:
    program = (
        "import logging, time\n"
        "from experiments.process.logs import StdoutHandler\n"
        "from experiments.run.progress import progress_bar\n"
        "logging.basicConfig(handlers=[StdoutHandler()], format='%(message)s', level='INFO')\n"
        "with progress_bar(4) as advance:\n"
        "    for number in range(4):\n"
        "        advance()\n"
        "        time.sleep(0.12)\n"
        "        logging.info('Epoch: %d Loss: 0.5', number)\n"
    )
    screen, terminal = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen([sys.executable, "-c", program], stdout=terminal, env=environment)
    os.close(terminal)
    shown = b""
    try:
        while received := os.read(screen, 4096):
            shown += received
    except OSError:  # Linux raises this when the terminal is closed
        assert process.wait(30) == 0
    finally:
        os.close(screen)
    text = shown.decode()
    assert "2/4" in text
    for number in range(4):
        assert f"Epoch: {number} Loss: 0.5\r\n" in text
