"""The cost of a logged model: to the command, to the next command, and in computing afterwards.

The commands come directly after one another, as in a loop of a shell, so a model that is logged in
the background slows the next command. The data is fetched before.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from benchmarks.process import PROJECT, seconds
from benchmarks.report import as_command, report, spread

REPEATS = 7
MODELS = 5


def main() -> None:
    """Measure and report."""
    train = (sys.executable, str(PROJECT / "train.py"), "force=true")
    ways = {"with": "tracking.log_model=true", "without": "tracking.log_model=false"}
    with tempfile.TemporaryDirectory() as folder:
        seconds(*train, ways["without"], folder=folder)  # makes MLflow's database
        taken: dict[str, list[float]] = {way: [] for way in ways}
        follows: list[float] = []
        for _ in range(REPEATS):
            taken["without"].append(seconds(*train, ways["without"], folder=folder))
            taken["with"].append(seconds(*train, ways["with"], folder=folder))
            follows.append(seconds(*train, ways["without"], folder=folder))  # beside the model
            time.sleep(10)
        computing = _computing(Path(folder))
    rows = [
        ("python train.py without a logged model", spread(taken["without"]), "1"),
        ("with one", spread(taken["with"]), _ratio(taken["with"], taken["without"])),
        (
            "the next command, while it is logged",
            spread(follows),
            _ratio(follows, taken["without"]),
        ),
        ("computing after the first run, imports included", spread(computing[:1]), ""),
        ("computing for a further model of the process", spread(computing[1:]), ""),
    ]
    header = ("10 epochs of MNIST, whole command", "seconds", "ratio in pairs")
    report("logged_model", "A logged model", header, rows)


def _computing(folder: Path) -> list[float]:
    """Return the processor seconds for logging the models of the newest runs, one after another."""
    from experiments.delivery_process.log_model import log_models
    from experiments.tracking import Wishes, ask_for
    from experiments.tracking.store import connect

    uri = f"sqlite:///{folder}/mlflow.db"
    client = connect(uri)
    taken: list[float] = []
    lacking = [path.parent for path in sorted(folder.glob("outputs/*/*/mlflow.json"))]
    for run in lacking:
        if len(taken) == MODELS or ask_for(run, uri, "mnist", None, Wishes(log_model=True)):
            continue
        began = time.process_time()
        log_models(client, uri, run)
        taken.append(time.process_time() - began)
    return taken


def _ratio(these: list[float], those: list[float]) -> str:
    return spread([a / b for a, b in zip(these, those, strict=True)])


if __name__ == "__main__":
    as_command(main, __doc__)
