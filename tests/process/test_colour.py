"""Lines have colour on a terminal only, as NO_COLOR and FORCE_COLOR ask; no log file has any."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.process.colour import in_colour, print_error
from experiments.process.logs import LogFile, StdoutHandler
from experiments.redaction.hide import hidden
from tests.terminal import Terminal

Replace = Callable[[], Terminal]

GREEN = "\x1b[32mdone\x1b[0m"


def test_a_terminal_shows_colour_and_other_streams_do_not(terminal: Replace) -> None:
    assert in_colour("done", "green", terminal()) == GREEN
    assert in_colour("done", "green", io.StringIO()) == "done"


@pytest.mark.parametrize(
    ("variables", "on_a_terminal", "elsewhere"),
    [
        ({"NO_COLOR": "1"}, "done", "done"),
        ({"NO_COLOR": ""}, GREEN, "done"),
        ({"FORCE_COLOR": "1"}, GREEN, GREEN),
        ({"FORCE_COLOR": ""}, "done", "done"),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, "done", "done"),
        ({"TERM": "dumb"}, "done", "done"),
    ],
    ids=str,
)
def test_the_environment_decides(
    terminal: Replace,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    on_a_terminal: str,
    elsewhere: str,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert in_colour("done", "green", terminal()) == on_a_terminal
    assert in_colour("done", "green", io.StringIO()) == elsewhere


def test_a_long_line_is_not_broken(terminal: Replace) -> None:
    assert "\n" not in in_colour("word " * 100, "green", terminal())


def test_a_secret_at_the_end_does_not_take_the_end_of_the_colour_along(terminal: Replace) -> None:
    shown = in_colour("password: abc", "red", terminal())
    assert hidden(shown) == shown == "\x1b[31mpassword: ***\x1b[0m"


def test_an_error_is_red(terminal: Replace, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    print_error("seed=x: is wrong")
    assert screen.getvalue() == "\x1b[31merror: seed=x: is wrong\x1b[0m\n"


def test_the_screen_has_colours_and_the_log_file_none(terminal: Replace, tmp_path: Path) -> None:
    screen = terminal()
    log = logging.Logger("a run's")
    file = LogFile(str(tmp_path / "train.log"))
    log.handlers = [StdoutHandler(), file]
    log.info("plain")
    log.info("best", extra={"style": "green"})
    log.warning("careful")
    log.error("wrong")
    file.close()
    assert screen.getvalue() == (
        "plain\n\x1b[32mbest\x1b[0m\n\x1b[33mcareful\x1b[0m\n\x1b[31mwrong\x1b[0m\n"
    )
    assert (tmp_path / "train.log").read_text() == "plain\nbest\ncareful\nwrong\n"
