"""A sweep of jobs that train nothing, in a process of its own that tells the cost of each stage.

`python -m benchmarks.scale_sweep FOLDER [override ...]` is `train.py -m override ...` in a folder.
Everything is real, down to the launcher's processes, each job's composition, claim, journal and
delivery to MLflow. Only the worker, which would load torch and train, is replaced: `InstantTask`
writes the journal of a finished run with made-up results.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import hydra

from benchmarks.instant import InstantTask, leave_facts
from benchmarks.report import as_command
from experiments.app import run
from experiments.composition.entry_point import one_line_errors
from experiments.sweep.jobs import Job
from experiments.sweep.outcomes import Outcomes

PROJECT = Path(__file__).parents[1]
COSTS = "costs.json"
"""the file that the process leaves in its folder"""


class Costs:
    """The costs of the stages of a sweep: seconds, calls, and the memory up to there.

    `working` is the processor time of the thread, which other programs change little.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.working: dict[str, float] = defaultdict(float)
        self.calls: dict[str, int] = defaultdict(int)
        self.peak: dict[str, float] = {}

    def of(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that does the same and is counted as a stage."""

        @functools.wraps(function)
        def counted(*arguments: Any, **named: Any) -> Any:
            began, working = time.perf_counter(), time.thread_time()
            try:
                return function(*arguments, **named)
            finally:
                self.seconds[stage] += time.perf_counter() - began
                self.working[stage] += time.thread_time() - working
                self.calls[stage] += 1
                if self.calls[stage] % 1000 == 1:
                    self.peak[stage] = _peak()

        return counted

    def kept(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {
            "seconds": self.seconds,
            "working": self.working,
            "calls": self.calls,
            "peak": self.peak | {"all": _peak()},
        }


def _peak() -> float:
    """Return the largest memory that the process has had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _instrument(costs: Costs) -> None:
    from experiments.sweep import plan, relaunch, run_sweep, view
    from experiments.sweep.deliver_jobs import Delivering
    from experiments.sweep.progress import Progress

    places: Mapping[str, tuple[object, str]] = {
        "expand": (run_sweep, "expand"),
        "compose and check": (plan, "_compose"),
        "data and device": (plan, "facts_of"),
        "identities": (plan, "ingredients_of"),
        "look-up on disk": (plan, "look_up"),
        "plan, all of the above": (run_sweep, "make_plan"),
        "look-up in MLflow": (run_sweep, "ask_stores"),
        "print the plan": (run_sweep, "print_plan"),
        "begin delivering": (Delivering, "__init__"),
        "launch": (relaunch, "_launch"),
        "thread: news of outcomes": (Outcomes, "news"),
        "thread: view": (view, "_show"),
        "thread: deliver": (Delivering, "note"),
        "thread: look for progress": (Progress, "look"),
        "wait for MLflow": (Delivering, "finish"),
        "collect outcomes": (Outcomes, "all"),
        "collect results": (run_sweep, "results_of"),
        "verdict": (run_sweep, "judge"),
        "record, jobs.csv": (run_sweep, "record_end"),
        "print the verdict": (run_sweep, "_print_verdict"),
    }
    for stage, (place, name) in places.items():
        setattr(place, name, costs.of(stage, getattr(place, name)))
    tried: Any = run_sweep
    tried.try_first_steps = lambda *_, **__: []  # needs torch
    tried.Task = InstantTask
    run_jobs = tried.run_jobs

    def with_facts(jobs: Sequence[Job], launcher: Any, outcomes: Outcomes, sweep: Path) -> None:
        leave_facts(jobs, sweep)
        run_jobs(jobs, launcher, outcomes, sweep)

    tried.run_jobs = with_facts


def main(folder: str, overrides: Sequence[str]) -> None:
    """Run a sweep in a folder, and leave its costs there."""
    os.chdir(folder)
    costs = Costs()
    _instrument(costs)
    sys.argv = [str(PROJECT / "train.py"), "-m", *overrides]
    main_of_train = hydra.main(
        version_base="1.3", config_path=str(PROJECT / "conf"), config_name="config"
    )(run)
    began = time.perf_counter()
    try:
        one_line_errors(main_of_train)()
    finally:
        told = costs.kept() | {"whole": time.perf_counter() - began}
        Path(COSTS).write_text(json.dumps(told, indent=1))


def add_sweep(parser: argparse.ArgumentParser) -> None:
    """Add the folder and the overrides of the sweep."""
    parser.add_argument("folder", help="where it runs")
    parser.add_argument("overrides", nargs=argparse.REMAINDER, help="as for train.py -m")


if __name__ == "__main__":
    as_command(main, __doc__, add_sweep)
