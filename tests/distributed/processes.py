"""Runs of train.py in several processes, started one by one, or by torchrun."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments import journal
from tests.conftest import PROJECT, clean_environment, run_folder
from tests.programs import OWN, cleaned_up, provide_database

TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def start_all(
    folder: Path, root: str, count: int, *overrides: str, **environment: str
) -> list[subprocess.Popen[str]]:
    """Start the processes of a run, in the order of their ranks; a single one without torch's."""
    folder.mkdir(exist_ok=True)
    (folder / "own.py").write_text(OWN + MODELS)
    usual = ["data=digits", f"data.root={root}", "trainer.threads=1"]
    usual += [] if any(each.startswith("tracking") for each in overrides) else ["tracking=none"]
    provide_database(folder, usual)
    places = [{}] if count == 1 else _places(count)
    return [
        cleaned_up(
            subprocess.Popen(
                (sys.executable, str(PROJECT / "train.py"), *usual, *overrides),
                cwd=folder,
                env=clean_environment() | {"PYTHONPATH": str(folder)} | environment | place,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        for place in places
    ]


def _places(count: int) -> list[dict[str, str]]:
    shared = {
        "WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
    }
    return [shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(count)]


def ends_of(processes: Sequence[subprocess.Popen[str]]) -> list[tuple[int, str, str]]:
    """Wait for processes; return the exit code, the output and the errors of each."""
    told = [process.communicate(timeout=120) for process in processes]
    return [(p.returncode, *lines) for p, lines in zip(processes, told, strict=True)]


def train_together(
    folder: Path, root: str, count: int, *overrides: str, **environment: str
) -> journal.History:
    """Train a run in processes, assert that only the first prints, and return its history."""
    (code, _, errors), *others = ends_of(start_all(folder, root, count, *overrides, **environment))
    assert (code, errors) == (0, "")
    assert others == [(0, "", "")] * (count - 1)
    return journal.history(run_folder(folder))


MODELS = r"""

class Normal(nn.Module):
    '''Batch normalisation and dropout, whose bits depend on the cut of a batch.'''

    def __init__(self, inputs, hidden, classes):
        super().__init__()
        self.body = nn.Sequential(
            nn.Flatten(), nn.Linear(inputs, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.3),
            nn.Linear(32, classes),
        )

    def forward(self, x):
        return self.body(x)

class Restless(SimpleNet):
    '''Draws random numbers in evaluations too.'''

    def forward(self, x):
        return nn.functional.dropout(super().forward(x), 0.2)

class Picky(SimpleNet):
    '''Fails in the tenth training step of one process.'''
    steps = 0

    def forward(self, x):
        self.steps += self.training
        if self.steps > 10 and os.environ["RANK"] == os.environ["RANK_OF_FAILURE"]:
            raise ArithmeticError("only here")
        return super().forward(x)
"""
