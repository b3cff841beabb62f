"""The documented commands of `experiments` exist, with the options that the pages give them."""

from __future__ import annotations

import re
import shlex

import pytest
import typer

from experiments.cli.main import app
from tests.conftest import PROJECT

COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
PAGES = [PROJECT / "README.md", *(PROJECT / "docs").glob("*.md")]
DOCUMENTED = sorted(
    {
        text
        for page in PAGES
        for text in re.findall(r"(?:`|^\$ |^)experiments ([a-z][^`\n#]*)", page.read_text(), re.M)
    }
)


def test_the_pages_were_understood() -> None:
    assert len(DOCUMENTED) > 15


@pytest.mark.parametrize("text", DOCUMENTED)
def test_a_documented_command_exists(text: str) -> None:
    name, *arguments = shlex.split(text)
    known = {option for each in COMMANDS[name].params for option in each.opts} | {"--help"}
    assert {each.partition("=")[0] for each in arguments if each.startswith("-")} <= known


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_documented_with_a_page(name: str) -> None:
    assert any(text.split()[0] == name for text in DOCUMENTED)
    assert COMMANDS[name].help
