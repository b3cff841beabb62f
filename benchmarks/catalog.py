"""The time of `experiments ls`, `compare` and `show` among 2,000 runs, beyond Python's start."""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

from benchmarks.report import as_command, report, spread
from experiments import journal
from experiments.tracking.copies import ask_for

PROJECT = Path(__file__).parents[1]
RUNS, REPEATS = 2_000, 15
RATES, SEEDS = 100, 20  # their product is RUNS
COMMANDS = {
    "python -c pass": ("-c", "pass"),
    "ls": ("-m", "experiments", "ls"),
    "ls --best 'test_accuracy>0.9'": ("-m", "experiments", "ls", "--best", "test_accuracy>0.9"),
    "ls --json -n 0": ("-m", "experiments", "ls", "--json", "-n", "0"),
    "compare (100 settings, 20 seeds)": ("-m", "experiments", "compare"),
    "show": ("-m", "experiments", "show", "outputs/7"),
}


def real_events(folder: Path) -> list[dict[str, Any]]:
    """Train a run on the digits; return the events of its journal."""
    program = [sys.executable, str(PROJECT / "train.py"), "data=digits", "tracking=none"]
    subprocess.run([*program, "hydra.run.dir=real"], cwd=folder, check=True, capture_output=True)
    return journal.read(folder / "real")[0]


def fill(outputs: Path, events: list[dict[str, Any]]) -> None:
    """Write runs with the events of a real one, each with its own ids, values and results."""
    draw = random.Random(0)
    for number in range(RUNS):
        folder = outputs / str(number)
        folder.mkdir(parents=True)
        own = {"id": uuid.UUID(int=draw.getrandbits(128)).hex, "identity": f"{number:064x}"}
        values = {"optimizer.lr": str(0.001 * (1 + number % RATES)), "seed": str(number // RATES)}
        with journal.Journal(folder) as opened:
            for event in events:
                fields = {key: value for key, value in event.items() if key != "time"}
                name = fields.pop("event")
                if name == "start":
                    fields |= own | {"params": fields["params"] | values, "name": str(values)}
                elif name == "metrics":
                    metrics = fields["metrics"]
                    fields["metrics"] = {key: metrics[key] * draw.random() for key in metrics}
                opened.write(name, **fields)
        ask_for(folder, "sqlite:///mlflow.db", "mnist", None)


def seconds(arguments: tuple[str, ...], folder: Path) -> float:
    """Return the seconds that a command takes."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - began


def main() -> None:
    """Measure and report."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fill(folder / "outputs", real_events(folder))
        first = seconds(COMMANDS["ls"], folder)
        taken = {
            name: [seconds(arguments, folder) for _ in range(REPEATS)]
            for name, arguments in COMMANDS.items()
        }
    start = sorted(taken["python -c pass"])[REPEATS // 2]
    rows = [
        [name, spread(values, "{:.3f}"), f"{sorted(values)[REPEATS // 2] - start:.3f}"]
        for name, values in taken.items()
    ]
    rows.append(["ls, the first time (reads all journals)", f"{first:.3f}", f"{first - start:.3f}"])
    header = ("command", "seconds", "beyond Python's start")
    report("catalog", f"Looking at {RUNS:,} runs", header, rows)


if __name__ == "__main__":
    as_command(main, __doc__)
