"""Sweeps of up to 10,000 jobs that train nothing: the cost of everything around the training.

`python -m benchmarks.scale [stages] [news] [mlflow] [launchers]` measures all of it, or parts.
Growth is linear if each job takes the same time in every column. `benchmarks.scale_sweep` says what
is replaced.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.process import PROJECT
from benchmarks.report import as_command, report, spread
from benchmarks.scale_sweep import COSTS
from experiments.sweep.outcomes import Outcome, Outcomes

SIZES = (100, 1_000, 10_000)
LAUNCHED = (100, 400)
STAGES = {
    "compose and check": "compose and check the configuration",
    "identities": "identity",
    "look-up on disk": "look-up of the earlier run on this disk",
    "plan, all of the above": "the whole plan",
    "launch": "launch: Hydra's composition and copies, outcome, claim, journal",
    "thread: view": "view: lines, progress, leading setting",
    "thread: deliver": "view: notes for the delivery",
    "collect outcomes": "outcomes collected",
    "collect results": "journals read",
    "verdict": "verdict (one import of scipy included)",
    "record, jobs.csv": "record, jobs.csv, verdict.txt",
    "print the verdict": "the screen at the end",
}
LOOKS = {
    "experiments ls": ("ls",),
    "experiments ls --best": ("ls", "--best"),
    "experiments compare": ("compare",),
    "experiments report SWEEP": ("report", "outputs/s"),
}
LAUNCHERS = {
    "basic": (),
    "processes": ("hydra/launcher=processes", "hydra.launcher.n_jobs=2"),
    "ray_cluster": ("hydra/launcher=ray_cluster", "hydra.launcher.ray.init.num_cpus=2"),
}


def sweep(folder: str, jobs: int, *overrides: str) -> dict[str, Any]:
    """Run a sweep of made-up jobs, 5 seeds for each setting, in a folder; return its costs."""
    varied = [f"optimizer.lr=range(1,{jobs // 20 + 1})", "seed=0,1,2,3,4"]
    varied += ["optimizer=sgd,adamw", "model.hidden=[32],[64]"]
    usual = [
        "data=digits",
        "trainer.threads=1",
        "sweep.max_jobs=10000",
        "hydra.sweep.dir=outputs/s",
    ]
    run([sys.executable, "-m", "benchmarks.scale_sweep", folder, *usual, *varied, *overrides])
    costs: dict[str, Any] = json.loads(Path(folder, COSTS).read_text())
    return costs


def run(command: Sequence[str], folder: str | Path = PROJECT) -> float:
    """Run a command; return its seconds."""
    began = time.perf_counter()
    own = os.environ | {"PYTHONPATH": str(PROJECT), "RAY_AUTH_MODE": "disabled"}
    subprocess.run(command, cwd=folder, env=own, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def each(seconds: float, jobs: int) -> str:
    """Return the time for one job as text."""
    return f"{1e3 * seconds / jobs:.2f} ms"


def stages() -> None:
    """Measure every stage of a sweep, of the same command again, and of looking at its runs."""
    first, again, looks, files = [], [], [], []
    for jobs in SIZES:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            first.append(sweep(folder, jobs, "tracking=none"))
            again.append(sweep(folder, jobs, "tracking=none"))
            looks.append(look(folder))
            inside = [len(names + others) for _, names, others in os.walk(Path(folder, "outputs"))]
            files.append(f"{max(inside):,}")
    rows = [
        [
            told,
            *(each(cost["working"].get(stage, 0), n) for n, cost in zip(SIZES, first, strict=True)),
        ]
        for stage, told in STAGES.items()
    ]
    rows.append(["the whole command, wall", *walls(first)])
    rows.append(["the same command again, all finished, wall", *walls(again)])
    rows.append(["memory of the command, at most", *memory(first)])
    rows.append(["memory of the command again, at most", *memory(again)])
    rows.append(["entries in the largest folder", *files])
    header = ("stage: processor time for each job", *(f"{jobs:,} jobs" for jobs in SIZES))
    report("scale", "Sweeps of jobs that train nothing, without MLflow", header, rows)
    rows = [[name, *(f"{each[name]:.1f} s" for each in looks)] for name in LOOKS]
    header = ("the whole command", *(f"{jobs:,} runs" for jobs in SIZES))
    report("scale_looks", "Looking at the runs of one sweep", header, rows)


def walls(costs: Sequence[dict[str, Any]]) -> list[str]:
    """Return the wall times of whole sweeps, and for each job, as texts."""
    pairs = zip(costs, SIZES, strict=True)
    return [f"{cost['whole']:.1f} s, {each(cost['whole'], jobs)}" for cost, jobs in pairs]


def memory(costs: Sequence[dict[str, Any]]) -> list[str]:
    """Return the peaks of memory of sweeps as texts."""
    return [f"{cost['peak']['all']:.0f} MiB" for cost in costs]


def look(folder: str) -> dict[str, float]:
    """Return the seconds of each command that looks at the runs in a folder."""
    program = [sys.executable, "-m", "experiments"]
    run([*program, "ls"], folder)  # reads all journals once
    return {name: run([*program, *arguments], folder) for name, arguments in LOOKS.items()}


def news() -> None:
    """Measure a look for new outcomes, one of which has changed since the last look."""
    rows = []
    for jobs in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            outcomes = Outcomes(Path(folder), "turn")
            outcomes.begin()
            looks = []
            for number in range(jobs):
                outcomes.write(Outcome(number, "finished", objective=0.5))
                began = time.thread_time()
                outcomes.news()
                looks.append(1e3 * (time.thread_time() - began))
            rows.append([f"{jobs:,}", spread(looks[-100:], "{:.2f} ms")])
    header = ("outcomes", "processor time of a look, the last 100 looks")
    report("scale_news", "A look for new outcomes after each job", header, rows)


def mlflow() -> None:
    """Measure the delivery to MLflow's sqlite file, and the plan that asks it."""
    rows = []
    for jobs in SIZES[:2]:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            costs = sweep(folder, jobs)
            other = sweep(folder, jobs, "model.hidden=[16],[8]", "sweep.plan_only=true")
            seconds = costs["seconds"]
            rows.append(
                [
                    f"{jobs:,}",
                    each(seconds["launch"] + seconds["wait for MLflow"], jobs),
                    each(seconds["wait for MLflow"], jobs),
                    each(other["seconds"]["look-up in MLflow"], jobs),
                    f"{costs['peak']['all']:.0f} MiB",
                ]
            )
    header = (
        *("jobs", "launch and delivery, wall", "of it after the last job"),
        *("a look-up of a new job", "memory of the command"),
    )
    report("scale_mlflow", "Sweeps with MLflow's sqlite file; times for each job", header, rows)


def launchers() -> None:
    """Measure launchers with two processes of this machine."""
    rows = []
    for name, chosen in LAUNCHERS.items():
        for jobs in LAUNCHED:
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
                costs = sweep(folder, jobs, "tracking=none", *chosen)
                launched = each(costs["seconds"]["launch"], jobs)
                rows.append([name, f"{jobs:,}", launched, f"{costs['peak']['all']:.0f} MiB"])
    header = ("launcher", "jobs", "launch for each job, wall", "memory of the command")
    report("scale_launchers", "Launchers with jobs that train nothing", header, rows)


PARTS = {"stages": stages, "news": news, "mlflow": mlflow, "launchers": launchers}


def main(parts: Sequence[str] = ()) -> None:
    """Measure and report."""
    for part in parts or PARTS:
        PARTS[part]()


def add_parts(parser: argparse.ArgumentParser) -> None:
    """Add the parts to measure."""
    parser.add_argument("parts", nargs="*", choices=PARTS, help="what to measure; without, all")


if __name__ == "__main__":
    as_command(main, __doc__, add_parts)
