"""The code of docs/python.md runs, and prints the documented lines."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from tests.conftest import PROJECT, command
from tests.programs import provide_database

PAGE = (PROJECT / "docs" / "python.md").read_text()
SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
PRINTED = re.findall(r"```text\n(?!>>>)(.*?)```", PAGE, flags=re.DOTALL)


def without_numbers(text: str) -> list[str]:
    """Return the lines of a text without the figures and ids that differ between runs."""
    text = text.replace("; its model follows within seconds", "")  # the tests log no models
    changing = r"outputs/[\w/-]+|[0-9a-f]{32}|\d+\.\d+|\d+ %"
    return [re.sub(changing, "…", line) for line in text.splitlines()]


def test_the_documented_code_prints_the_documented_lines(place: Path, root: str) -> None:
    assert len(SNIPPETS) == 5
    assert len(PRINTED) == 4
    provide_database(place / "project", ())
    (place / "project" / "page.py").write_text("".join(SNIPPETS))
    done = command(sys.executable, "page.py", cwd=place / "project")
    assert done.returncode == 0, done.stderr
    printed = "\n".join(without_numbers(done.stdout))
    for text in PRINTED:
        expected = "\n".join(without_numbers(text))
        assert expected in printed
