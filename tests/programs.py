"""Runs of train.py in separate processes, on the digits, with a user's own models beside it."""

from __future__ import annotations

import atexit
import functools
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection
from pathlib import Path

from experiments.tracking.store import connect
from tests.conftest import PROJECT, clean_environment

OWN = r"""
import os
import signal
import sys
import time
import torch
from torch import nn
from experiments.models import SimpleNet

class Slow(SimpleNet):
    batches = 0

    def forward(self, x):
        if self.training:
            time.sleep(float(os.environ.get("SLOW", "0.01")))
            self.batches += 1
            self.hold()
        return super().forward(x)

    def hold(self):
        if self.batches <= int(os.environ.get("FREE", "0")):
            return
        file, until = os.environ.get("HOLD", ""), time.monotonic() + 1
        while os.path.exists(file) and time.monotonic() < until:
            open(file + ".reached", "a").close()
            time.sleep(0.01)

class Dropping(Slow):
    def forward(self, x):
        return nn.functional.dropout(super().forward(x), 0.2, self.training)

class Fragile(SimpleNet):
    def __init__(self, inputs, hidden, classes, fate, first=2):
        super().__init__(inputs=inputs, hidden=hidden, classes=classes)
        self.fate, self.first, self.steps = fate, first, 0

    def forward(self, x):
        self.steps += self.training
        if self.training and self.steps >= self.first:
            self.fail()
        return super().forward(x)

    def fail(self):
        if self.fate == "raise":
            raise ArithmeticError("in the middle of training")
        if self.fate == os.environ.get("FAILING"):
            raise ArithmeticError("this time")
        if self.fate == "exit":
            sys.exit(0)
        if self.fate == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.fate == "memory":
            torch.empty(2**55)

class Exiting(Fragile):
    def __init__(self, inputs, hidden, classes):
        super().__init__(inputs, hidden, classes, "exit")

class Lazy(nn.Sequential):
    def __init__(self, inputs, hidden, classes):
        layers = nn.LazyLinear(*hidden), nn.ReLU(), nn.LazyLinear(classes)
        super().__init__(nn.Flatten(), *layers)

class Talking(SimpleNet):
    def forward(self, x):
        print("\u00b1 \ud800", flush=True)
        return super().forward(x)

class Failing(Fragile):
    def __init__(self, inputs, hidden, classes):
        super().__init__(inputs, hidden, classes, "raise")
"""


_started: list[subprocess.Popen[str]] = []


def stop_all() -> None:
    """Kill the processes that a failed test has left running."""
    while _started:
        process = _started.pop()
        if process.poll() is None:
            process.kill()
            process.communicate()


@functools.cache
def _empty_database() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="database-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    connect(f"sqlite:///{folder}/mlflow.db")
    return folder / "mlflow.db"


def provide_database(folder: Path, overrides: Collection[str], name: str = "mlflow.db") -> None:
    """Put an empty database where a command would make one, which takes a second of computing."""
    tracked = not any(override.startswith("tracking") for override in overrides)
    if tracked and not (folder / name).exists():
        shutil.copy(_empty_database(), folder / name)


def start(
    folder: Path, root: str, model: str, *overrides: str, **environment: str
) -> subprocess.Popen[str]:
    """Start train.py with one of the models above."""
    folder.mkdir(exist_ok=True)
    (folder / "own.py").write_text(OWN)
    provide_database(folder, overrides)
    program = (sys.executable, str(PROJECT / "train.py"), "data=digits", f"data.root={root}")
    process = subprocess.Popen(
        (*program, f"model._target_=own.{model}", *overrides),
        cwd=folder,
        env=clean_environment() | {"PYTHONPATH": str(folder)} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    return cleaned_up(process)


def cleaned_up(process: subprocess.Popen[str]) -> subprocess.Popen[str]:
    """Return a process that is killed if its test leaves it running."""
    _started.append(process)
    return process


def finish(process: subprocess.Popen[str]) -> str:
    """Wait for a process, assert that it succeeds, and return its output."""
    output, errors = process.communicate(timeout=180)
    assert process.returncode == 0, errors
    assert errors == ""
    return output


def holding(folder: Path, *, after: int = 0) -> dict[str, str]:
    """Return the environment in which a batch of models that are `Slow` takes a second.

    So a slow test still finds them in training. `release` lets them go on at full speed.

    Args:
        folder: the folder for the file that holds them.
        after: the number of batches that a model first trains at full speed.
    """
    folder.mkdir(exist_ok=True)
    (folder / "hold").touch()
    return {"HOLD": str(folder / "hold"), "FREE": str(after), "SLOW": "0"}


def release(folder: Path) -> None:
    """Release the models that `holding` slows down."""
    (folder / "hold").unlink()


def wait_for_epoch(process: subprocess.Popen[str], epoch: int) -> list[str]:
    """Return the lines that a process prints before the line of an epoch."""
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        if line.startswith(f"Epoch: {epoch} "):
            return lines
        lines.append(line)
    raise AssertionError(f"it ended before epoch {epoch}: {lines} {process.communicate()[1]}")


def wait_until(what: Callable[[], object], seconds: float = 60) -> None:
    """Wait until a condition is true; fail after so many seconds."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)


def children_of(pid: int) -> list[int]:
    """Return the ids of the child processes of a process."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]
