"""Proof that a killed and resumed run gives the same result as an uninterrupted run."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments import journal
from experiments.composition.run_names import key_of
from experiments.errors import InputError
from experiments.journal.points import TIMES, differing, without_times

_SET_BY_US = frozenset(
    ("force", "outputs", "hydra.run.dir", "tracking", "tracking.uri", "tracking.log_model")
)
_RETRIES = 4  # for a run that ends before the first kill
_EARLIEST = 0.25  # kills fall between this share of the whole run's duration and its end


@dataclass(frozen=True)
class Evidence:
    """The recorded result of a run."""

    weights_sha256: str
    points: Mapping[tuple[str, int], float]
    """each metric by key and step, from the journal"""
    stored: Mapping[tuple[str, int], Sequence[float]]
    """the same from MLflow, with all values that it has for a key and step"""
    run_ids: frozenset[str]


def verify_resume(overrides: Sequence[str], kills: int, say: Callable[[str], None]) -> bool:
    """Train a run once whole and once killed at random moments; return whether they are equal.

    Args:
        overrides: the overrides of the run, as for train.py.
        kills: the number of times to kill the second run with SIGKILL.
        say: receives each line of the proof.

    Raises:
        InputError: the folder has no train.py, or train.py does not run with these overrides.
    """
    if not Path("train.py").exists():
        raise InputError("train.py: is not in this folder; change to the project's folder")
    for override in overrides:
        if key_of(override) in _SET_BY_US:
            raise InputError(f"{override}: is set by verify-resume itself; leave it out")
    from experiments.composition.secret_overrides import to_environment

    overrides = to_environment(overrides)  # command lines are visible to all users of a machine
    folder = Path(tempfile.mkdtemp(prefix="verify-resume-"))
    try:
        same = _verify(overrides, kills, folder, say)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    if same:
        shutil.rmtree(folder, ignore_errors=True)  # a delivery process may still write there
    else:
        say(f"Both runs are kept in {folder}")
    return same


def _verify(overrides: Sequence[str], kills: int, folder: Path, say: Callable[[str], None]) -> bool:
    began = time.monotonic()
    _run_to_the_end(overrides, folder / "whole")
    duration = time.monotonic() - began
    whole = result(folder / "whole")
    say(f"whole:     {duration:.1f} s, weights {whole.weights_sha256[:16]}")
    killed_so_far, latest = 0, duration
    for _ in range(kills + _RETRIES):
        process = _start(overrides, folder / "killed")
        moment = random.uniform(_EARLIEST * latest, latest)
        try:
            process.communicate(timeout=moment)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            say(f"killed:    after {moment:.1f} s, with kill -9")
            killed_so_far += 1
            if killed_so_far == kills:
                break
        else:
            say(f"not killed: it had ended before {moment:.1f} s")
            if killed_so_far:
                break
            shutil.rmtree(folder / "killed", ignore_errors=True)  # once more, and earlier
            latest = moment / 2
    if kills and not killed_so_far:
        say("The run always ended before its kill, so nothing is proved; give it more epochs")
        return False
    _run_to_the_end(overrides, folder / "killed")
    killed = result(folder / "killed")
    say(f"resumed:   to the end, weights {killed.weights_sha256[:16]}")
    differences = compare(whole, killed)
    for difference in differences:
        say(f"DIFFERENT: {difference}")
    if differences:
        return False
    say(
        f"The same to the bit: the weights, {len(whole.points)} metric points in the journal, "
        f"{len(whole.stored)} in MLflow, each once, in one MLflow run"
    )
    return True


def result(folder: Path) -> Evidence:
    """Return the result of the only run below a folder, from its journal and its database."""
    from experiments.tracking.store import connect

    (run,) = (path.parent for path in (folder / "outputs").glob(f"*/*/{journal.NAME}"))
    told = journal.history(run)
    client = connect(f"sqlite:///{folder}/mlflow.db")
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    runs = client.search_runs(experiments)
    stored: dict[tuple[str, int], list[float]] = {}
    for each in runs:
        for key in set(each.data.metrics) - TIMES:
            for point in client.get_metric_history(each.info.run_id, key):
                stored.setdefault((key, point.step), []).append(point.value)
    return Evidence(
        weights_sha256=told.tags.get("weights_sha256", "none: it diverged"),
        points=without_times(told.points),
        stored=stored,
        run_ids=frozenset(each.info.run_id for each in runs),
    )


def compare(whole: Evidence, killed: Evidence) -> list[str]:
    """Return the differences between a whole run and a killed one; empty if they are equal."""
    found = []
    if killed.weights_sha256 != whole.weights_sha256:
        found.append(f"weights {killed.weights_sha256} instead of {whole.weights_sha256}")
    for key, step in differing(whole.points, killed.points):
        there, expected = (each.points.get((key, step)) for each in (killed, whole))
        found.append(f"{key} of step {step} is {there} in the journal instead of {expected}")
    # A run may give one step several values.
    once = {point: [value] for point, value in whole.points.items()}
    for point in sorted(once.keys() | killed.stored.keys()):
        values = killed.stored.get(point, [])
        wanted = whole.stored.get(point) or once.get(point, [])
        if sorted(map(repr, values)) != sorted(map(repr, wanted)):
            key, step = point
            found.append(f"{key} of step {step} is {values} in MLflow instead of {wanted}")
    if len(killed.run_ids) != 1:
        found.append(f"{len(killed.run_ids)} MLflow runs instead of 1")
    return found


def _start(overrides: Sequence[str], folder: Path) -> subprocess.Popen[str]:
    folder.mkdir(exist_ok=True)
    places = (
        f"outputs={folder}/outputs",
        f"tracking.uri=sqlite:///{folder}/mlflow.db",
        "tracking.log_model=false",
    )
    return subprocess.Popen(
        (sys.executable, "train.py", *overrides, *places),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"},
    )


def _run_to_the_end(overrides: Sequence[str], folder: Path) -> None:
    process = _start(overrides, folder)
    _, errors = process.communicate()
    if process.returncode:
        reason = _reason(folder, errors) or f"it ended with status {process.returncode}"
        raise InputError(f"train.py {' '.join(overrides)}: {reason}")


def _reason(folder: Path, errors: str) -> str:
    """Return the reason why a run below a folder failed, or else the last line of its errors."""
    for path in (folder / "outputs").glob(f"*/*/{journal.NAME}"):
        if failure := journal.history(path.parent).tags.get("failure"):
            return failure
    return errors.strip().rpartition("\n")[2].removeprefix("error: ")
