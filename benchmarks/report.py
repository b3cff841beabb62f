"""Reports of benchmarks: tables, printed and kept with date, hardware and versions."""

from __future__ import annotations

import datetime
import re
import statistics
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from experiments.provenance.origin import environment, version

RESULTS = Path(__file__).parent / "results"


def spread(values: Sequence[float], form: str = "{:.2f}") -> str:
    """Return the median, the range and the number of measurements as text."""
    low, middle, high = min(values), statistics.median(values), max(values)
    shown = form.format(middle)
    if len(values) > 1:
        shown += f" ({form.format(low)} to {form.format(high)}, n={len(values)})"
    return shown


def report(theme: str, title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table and keep it as results/<theme>_<hardware>_<yyyymm>.md."""
    table = Table(*header, title=title, title_justify="left")
    for row in rows:
        table.add_row(*row)
    Console(width=130).print(table)
    lines = [f"# {title}", "", _line(header), _line(["---"] * len(header)), *map(_line, rows)]
    lines += ["", f"{circumstances()} Median and range of n.", ""]
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{theme}_{_hardware()}_{datetime.date.today():%Y%m}.md"
    file.write_text("\n".join(lines))


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _hardware() -> str:
    told = environment()
    return re.sub(r"\W+", "-", f"{told['processor']} {told['cores']} cores").strip("-").lower()


def circumstances() -> str:
    """Return the date, the machine and the versions of a measurement as text."""
    told = environment()
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "hydra-core", "mlflow"))
    return (
        f"{datetime.date.today()}, {told['processor']}, {told['cores']} cores, "
        f"Python {told['python']}, {versions}."
    )
