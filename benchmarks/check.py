"""`make bench-check`: compare this machine's ratios now with those kept in results/.

It measures the benchmarks that are quick and compares ratios, never seconds;
`benchmarks.ratios.compared` has the rule. The exit code is 1 if something became slower.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from benchmarks import epoch, first_epoch, lanes_epoch, startup, sweep
from benchmarks.ratios import LEVEL, MARGIN, Finding, Ratio, Samples, compared, ratios_of
from benchmarks.report import as_command, kept, load, machine, spread, versions

RULE = (
    f"Slower, faster: the new median is more than {MARGIN:.0%} beyond all kept values, and a test "
    f"of ranks (Mann and Whitney) has p < {LEVEL}."
)


class Quick(Protocol):
    """A module of benchmarks whose ratios are measured within about a minute."""

    @property
    def RATIOS(self) -> Mapping[str, Ratio]: ...  # noqa: N802, D102  (a constant of the module)

    def measure(self) -> Samples: ...  # noqa: D102


QUICK: Mapping[str, Quick] = {
    "startup": startup,
    "epoch": epoch,
    "first_epoch": first_epoch,
    "lanes_epoch": lanes_epoch,
    "sweep": sweep,
}


def lines_of(findings: Sequence[Finding]) -> list[str]:
    """Return a line about each ratio: its verdict, and both measurements."""
    lines = []
    for each in findings:
        told = [
            f"{when} {spread(values, '{:.3g}')}"
            for when, values in (("now", each.new), ("kept", each.kept))
            if values
        ]
        lines.append(f"{each.verdict:<12}  {each.name}: {', '.join(told)}")
    return lines


def check(theme: str, benchmark: Quick, before: Mapping[str, Any]) -> list[Finding]:
    """Measure one benchmark, compare it with its kept results, and print the lines."""
    now = ratios_of(benchmark.measure(), benchmark.RATIOS)
    present = versions()
    changed = {
        f"{name} {version} then, {present.get(name, 'not measured')} now"
        for name, version in before["versions"].items()
        if present.get(name) != version
    }
    findings = compared(before["ratios"], now)
    print(f"{theme}, kept on {before['date']}", *sorted(changed), sep="; ")
    for line in lines_of(findings):
        print(f"  {line}", flush=True)
    return findings


def main() -> str | None:
    """Compare all that is kept; return a line about what became slower."""
    before = {theme: kept(theme) for theme in QUICK}
    if not any(before.values()):
        print(f"{machine()}: has no kept ratios yet; `make bench` measures and keeps them")
        return None
    if load() > (os.cpu_count() or 1) / 4:
        print(f"Other processes are at work (load {load():.1f}); the ratios are less certain.")
    print(RULE)
    findings = []
    for theme, benchmark in QUICK.items():
        told = before[theme]
        if told is None:
            print(f"{theme}: has no kept ratios; `python -m benchmarks.{theme}` keeps them")
        else:
            findings += check(theme, benchmark, told)
    slower = [each.name for each in findings if each.verdict == "slower"]
    return f"Slower than kept: {'; '.join(slower)}" if slower else None


if __name__ == "__main__":
    as_command(main, __doc__)
