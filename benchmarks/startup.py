"""Start-up: the time of --help and --cfg job, and of the parts before the first step.

It fails if the first step takes more than 1.1 times as long as `python -c "import torch"`.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.process import PROJECT, seconds
from benchmarks.ratios import TURNS, Ratio, Samples, ratios_of
from benchmarks.report import as_command, report, spread
from experiments import journal

REPEATS = 9
STEP, TORCH = "from the command until the first training step", "for comparison: import torch"
RATIOS = {"the first step / import torch": Ratio(STEP, TORCH, aim=1.1)}
BARE = """
import hydra
@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(cfg):
    pass
main()
"""

SPLIT = """
import json, sys, time
taken, began = {}, time.perf_counter()
def lap(name):
    global began
    taken[name], began = time.perf_counter() - began, time.perf_counter()
from hydra import compose, initialize_config_dir
from pathlib import Path
from experiments.app import run
lap("imports: hydra and the program")
with initialize_config_dir(sys.argv[1], version_base="1.3"):
    cfg = compose("config", return_hydra_config=True)
from experiments.composition.hydra_config import checked
config = checked(cfg)
lap("configuration: composed and checked (imports pydantic)")
from experiments.tracking import sender
sender(config.tracking.uri)
lap("tracking: the delivery process started")
from experiments.run.load_torch import load_torch
load_torch()
lap("imports: torch, while the delivery process imports MLflow")
from experiments.data import MNIST
from experiments.data.splits import load
load(MNIST, config.data.arguments())
lap("data: read and verified")
from experiments.run.build import assemble
parts = assemble(config)
lap("model, optimizer and schedule: built")
from experiments.identity.ingredients import ingredients_of
ingredients = ingredients_of(config, data_sha256=parts.splits.sha256, device=parts.device_kind)
sender(config.tracking.uri).find(ingredients.identity, config.tracking.experiment)
lap("identity: computed, and asked for in MLflow's database")
from experiments.provenance.origin import commit, environment
commit(Path(sys.argv[1])); environment()
lap("tracking: commit, patch and versions")
print(json.dumps(taken))
"""


def looking(folder: str) -> list[tuple[str, ...]]:
    """Measure --help and --cfg job of train.py and of bare Hydra apps, in turns; return rows."""
    programs = {"train.py": str(PROJECT / "train.py")}
    for name in ("empty", "same"):
        (Path(folder) / name).mkdir()
        programs[name] = str(Path(folder) / name / "bare.py")
        Path(programs[name]).write_text(BARE)
    (Path(folder) / "empty" / "conf").mkdir()
    (Path(folder) / "empty" / "conf" / "config.yaml").write_text("seed: 0\n")
    shutil.copytree(PROJECT / "conf", Path(folder) / "same" / "conf")
    rows = []
    for arguments in (("--help",), ("--cfg", "job")):
        times: dict[str, list[float]] = {name: [] for name in programs}
        for _ in range(REPEATS):
            for name, taken in times.items():
                taken.append(seconds(sys.executable, programs[name], *arguments, folder=folder))
        ours, empty, same = (statistics.median(times[name]) for name in times)
        ratios = (f"{ours / same:.2f}", f"{ours / empty:.2f}")
        rows.append((" ".join(arguments), *map(spread, times.values()), *ratios))
    return rows


def milestones(folder: str, name: str) -> dict[str, float]:
    """Train one epoch; return the seconds from the command to each milestone."""
    began = time.time()
    # A model that is logged afterwards would slow the next process.
    overrides = ("trainer.epochs=1", "force=true", "tracking.log_model=false")
    command = (sys.executable, str(PROJECT / "train.py"), *overrides, f"hydra.run.dir={name}")
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    ended = time.time()
    events, _ = journal.read(Path(folder) / name)
    epoch = next(event for event in events if "train_loss" in event.get("metrics", {}))
    trained = epoch["time"] / 1000
    return {
        "from the command until everything is checked and assembled": events[0]["time"] / 1000
        - began,
        STEP: trained - epoch["metrics"]["epoch_seconds"] - began,
        "from the command until the first epoch is trained": trained - began,
        "from the command until all is tested and written": events[-1]["time"] / 1000 - began,
        "from the command until MLflow has it all and the process ends": ended - began,
    }


def measure(turns: int = TURNS) -> Samples:
    """Return the seconds of the milestones and of importing torch alone, in each turn."""
    taken: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        milestones(folder, "warm-up")  # makes the database
        for turn in range(turns):
            told = milestones(folder, f"run-{turn}")
            told[TORCH] = seconds(sys.executable, "-c", "import torch", folder=folder)
            for name, value in told.items():
                taken.setdefault(name, []).append(value)
    return taken


def split(folder: str) -> list[tuple[str, ...]]:
    """Measure the parts before the first training step one by one; return rows of seconds."""
    command = (sys.executable, "-c", SPLIT, str(PROJECT / "conf"))
    runs = [
        json.loads(subprocess.run(command, cwd=folder, check=True, capture_output=True).stdout)
        for _ in range(REPEATS)
    ]
    return [(name, spread([run[name] for run in runs])) for name in runs[0]]


def imports(*modules: str, folder: str) -> list[float]:
    """Return the seconds of processes that import modules and do nothing else."""
    return [
        seconds(sys.executable, "-c", f"import {', '.join(modules)}", folder=folder)
        for _ in range(REPEATS)
    ]


def main() -> str | None:
    """Measure and report; return a line about a missed aim."""
    with tempfile.TemporaryDirectory() as folder:
        rows = looking(folder)
        columns = (
            *("command", "train.py, s", "bare Hydra app, empty conf/, s"),
            *("bare Hydra app, our conf/, s", "ratio to the same conf/", "to the empty one"),
        )
        report("startup_looking", "The time of --help and --cfg job", columns, rows)
        print("bar: < 1.2")

    taken = measure(REPEATS)
    steps: list[tuple[str, ...]] = [(name, spread(values)) for name, values in taken.items()]
    with tempfile.TemporaryDirectory() as folder:
        for modules in (("hydra",), ("mlflow",), ("hydra", "torch", "mlflow")):
            alone = imports(*modules, folder=folder)
            steps.append((f"for comparison: import {', '.join(modules)}", spread(alone)))
        steps += split(folder)
    header = ("python train.py on MNIST", "seconds")
    title = "From the command to the first training step"
    report("startup", title, header, steps, seconds=taken, ratios=RATIOS)
    return missed(taken)


def missed(taken: Samples) -> str | None:
    """Return a line about the ratio if its median misses its aim."""
    (ratio,), (values,) = RATIOS.values(), ratios_of(taken, RATIOS).values()
    if ratio.aim is None or statistics.median(values) <= ratio.aim:
        return None
    return (
        f"startup: the first step comes after {spread(values)} times the seconds of import torch; "
        f"the aim is {ratio.aim}. Find the import or the work that is new: `python -X importtime "
        "train.py`"
    )


if __name__ == "__main__":
    as_command(main, __doc__)
