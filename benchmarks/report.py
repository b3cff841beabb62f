"""Reports of benchmarks: tables, printed and kept with date, hardware and versions.

A benchmark with ratios keeps its samples in a JSON file beside the table.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import re
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn

from rich.console import Console
from rich.table import Table

from benchmarks.ratios import Ratio, Samples, ratios_of
from experiments.provenance.origin import environment, version

RESULTS = Path(__file__).parent / "results"
_LOAD = os.getloadavg()  # before this process measures
_PACKAGES = ("torch", "hydra-core", "mlflow")
_NONE: Mapping[str, Any] = MappingProxyType({})


def as_command(
    main: Callable[..., str | None],
    about: str | None,
    add: Callable[[argparse.ArgumentParser], object] = lambda _: None,
) -> NoReturn:
    """Run a benchmark as a command, which prints its description for --help.

    An unknown argument ends it with exit code 2, a line that the benchmark returns with exit
    code 1.

    Args:
        main: the benchmark; it takes the arguments by name.
        about: its description.
        add: adds its arguments to a parser.
    """
    file = Path(sys.argv[0])
    module = "benchmarks" if file.stem == "__main__" else f"benchmarks.{file.stem}"
    parser = argparse.ArgumentParser(
        prog=f"python -m {module}",
        description=about,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add(parser)
    sys.exit(main(**vars(parser.parse_args())))


def spread(values: Sequence[float], form: str = "{:.2f}") -> str:
    """Return the median, the range and the number of measurements as text."""
    low, middle, high = min(values), statistics.median(values), max(values)
    shown = form.format(middle)
    if len(values) > 1:
        shown += f" ({form.format(low)} to {form.format(high)}, n={len(values)})"
    return shown


def report(
    theme: str,
    title: str,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    seconds: Samples = _NONE,
    ratios: Mapping[str, Ratio] = _NONE,
) -> None:
    """Print a table and keep it as results/<theme>_<hardware>_<yyyymm>.md.

    Args:
        theme: the name of the benchmark.
        title: the title of the table.
        header: the names of the columns.
        rows: the cells.
        seconds: the samples behind the ratios; with the ratios they are kept as JSON as well.
        ratios: shown in a second table.
    """
    tables = [(header, rows)]
    values = ratios_of(seconds, ratios)
    if ratios:
        aims = {name: "" if each.aim is None else f"<= {each.aim}" for name, each in ratios.items()}
        found = [(name, spread(values[name], "{:.3g}"), aims[name]) for name in ratios]
        tables.append((("ratio, turn by turn", "measured", "aim"), found))
    lines = [f"# {title}"]
    for columns, cells in tables:
        table = Table(*columns, title=title if cells is rows else None, title_justify="left")
        for row in cells:
            table.add_row(*row)
        Console(width=130).print(table)
        lines += ["", _line(columns), _line(["---"] * len(columns)), *map(_line, cells)]
    lines += ["", f"{circumstances()} Median and range of n.", ""]
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{theme}_{_hardware()}_{datetime.date.today():%Y%m}.md"
    file.write_text("\n".join(lines))
    if ratios:
        samples = {"seconds": seconds, "ratios": values}
        file.with_suffix(".json").write_text(json.dumps(_origin() | samples, indent=1) + "\n")


def kept(theme: str) -> dict[str, Any] | None:
    """Return the newest kept samples of a benchmark on this machine, as `report` writes them.

    Args:
        theme: the name of the benchmark.

    Returns:
        `ratios`, the samples by name, beside `seconds`, `date`, `load` and `versions`; None if this
        machine has none.
    """
    files = sorted(RESULTS.glob(f"{theme}_{_hardware()}_*.json"))
    return json.loads(files[-1].read_text()) if files else None


def machine() -> str:
    """Return the processor and the number of cores as text."""
    told = environment()
    return f"{told['processor']}, {told['cores']} cores"


def load() -> float:
    """Return the load of the last minute before this process measured, in processes."""
    return _LOAD[0]


def circumstances() -> str:
    """Return the date, the machine and the versions of a measurement as text."""
    told = ", ".join(f"{name} {version}" for name, version in versions().items())
    return f"{datetime.date.today()}, {machine()}, {told}."


def versions() -> dict[str, str]:
    """Return the versions that a measurement depends on, by name, and if steps are compiled."""
    from experiments.training.steps_library import library

    told = {"Python": environment()["python"]} | {name: version(name) for name in _PACKAGES}
    return told | {"compiled steps": "built" if library().exists() else "not built"}


def _origin() -> dict[str, Any]:
    return {
        "date": str(datetime.date.today()),
        "machine": machine(),
        "load": _LOAD,
        "versions": versions(),
    }


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _hardware() -> str:
    return re.sub(r"\W+", "-", machine()).strip("-").lower()
