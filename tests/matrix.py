"""A pytest plugin that writes the matrix in docs/reliability.md: each hazard and its test results.

`pytest -p tests.matrix -m row` runs the tests that are marked with a row and writes the matrix,
failures included. If only a part of these tests runs, only their rows are renewed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from benchmarks.report import circumstances

from tests.conftest import PROJECT

DOCUMENT = PROJECT / "docs" / "reliability.md"
BEGIN, END = "<!-- matrix: written by `make test-faults` -->\n", "<!-- end of the matrix -->"

_seen: dict[str, list[tuple[bool, str]]] = {}


def hazards() -> list[str]:
    """Return the first column of the table of bars, in order."""
    table = DOCUMENT.read_text().partition("| hazard |")[2].partition("\n\n")[0]
    return re.findall(r"^\| (?!---)([^|]+?) \|", table, flags=re.MULTILINE)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report = yield
    for mark in item.iter_markers("row"):
        if report.when == "call" or report.outcome != "passed":
            figure = dict(item.user_properties).get("figure", _title(item.name))
            _seen.setdefault(mark.args[0], []).append((report.passed, str(figure)))
    return report


def _title(name: str) -> str:
    return name.removeprefix("test_").partition("[")[0].replace("_", " ")


def pytest_sessionfinish() -> None:
    lines = [BEGIN, f"{circumstances()}\n", "\n| hazard | tests passed | seen |\n|---|---|---|\n"]
    before, _, rest = DOCUMENT.read_text().partition(BEGIN)
    matrix, _, after = rest.partition(END)
    known = {line.split(" |")[0]: f"{line}\n" for line in matrix.splitlines()}
    for hazard in hazards():
        if hazard not in _seen and f"| {hazard}" in known:
            lines.append(known[f"| {hazard}"])
            continue
        results = _seen.get(hazard, [])
        passed = sum(ok for ok, _ in results)
        seen = "; ".join(
            dict.fromkeys(figure if ok else f"FAILED: {figure}" for ok, figure in results)
        )
        lines.append(f"| {hazard} | {passed} of {len(results)} | {seen or 'not yet tested'} |\n")
    DOCUMENT.write_text(before + "".join(lines) + END + after)
