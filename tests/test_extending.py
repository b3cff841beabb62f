"""docs/extending.md is true: its files are written, its commands run, and their output is shown."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.conftest import PROJECT, forked, new_project

PAGE = (PROJECT / "docs" / "extending.md").read_text()
FILES = dict(re.findall(r"```(?:python|yaml)\n# (\S+)\n(.*?)```", PAGE, flags=re.DOTALL))
SESSIONS = re.findall(r"```console\n(.*?)```", PAGE, flags=re.DOTALL)
EXAMPLES = [
    (command, output)
    for session in SESSIONS
    for command, output in re.findall(r"^\$ (.*)\n((?:[^$].*\n)+)", session, flags=re.MULTILINE)
]


def test_the_page_was_understood() -> None:
    assert len(EXAMPLES) == 8
    assert len(FILES) == 11


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return new_project(tmp_path_factory.mktemp("extending"), FILES)


def without_numbers(output: str) -> list[str]:
    """Return the lines of an output without its numbers, which a processor's kernels decide."""
    lines = [line for line in output.splitlines() if not line.startswith("Everything about")]
    return [re.sub(r"\d+(\.\d+)?", "0", re.sub(r"\(outputs/\S+\)", "", line)) for line in lines]


@pytest.mark.xdist_group("extending")
@pytest.mark.parametrize(("command", "output"), EXAMPLES, ids=[name for name, _ in EXAMPLES])
def test_an_example_has_this_output(command: str, output: str, project: Path, root: str) -> None:
    program, *arguments = shlex.split(command)
    assert program == "python"
    base = ("data=digits", f"data.root={root}", "tracking=none", "trainer.epochs=2")
    if output.startswith("Finished before"):
        forked(arguments[0], *base, cwd=project)
    done = forked(arguments[0], *base, *arguments[1:], cwd=project)
    assert without_numbers(done.stdout + done.stderr) == without_numbers(output)
