"""Sweeps that nobody trained: journals of many jobs, and of hostile names."""

from __future__ import annotations

import math
import random
from pathlib import Path

from experiments.journal import Journal
from experiments.registry.objective import Objective
from tests.tracking.conftest import begin

RESULT = {"test_accuracy": 0.9, "test_loss": 0.1, "test_f1": 0.45}


def made_up_sweep(
    folder: Path,
    jobs: int,
    epochs: int,
    name: str = "sweep",
    objective: Objective | None = None,
) -> Path:
    """Write the journals of a sweep over three factors and its jobs; return its folder.

    Args:
        folder: the folder to make.
        jobs: the number of jobs.
        epochs: of each job.
        name: the beginning of all names.
        objective: the objective; None if the journals tell none, as those of older versions.
    """
    tags = objective.tags if objective else {}
    numbers = random.Random(0)
    keys = ["optimizer.lr", "optimizer", "model.hidden"]
    folder.mkdir(parents=True)
    with Journal(folder) as journal:
        view = {"params": [*keys, "seed"], "metrics": ["val_accuracy"]}
        above = begin(journal, "0" * 64, name=name, view=view, params={}, tags=tags)
        journal.write("tags", tags={"sweep.command": f"python train.py -m note={name}"})
    for number in range(jobs):
        place = folder / str(number)
        place.mkdir()
        values = {
            "optimizer.lr": str(10 ** -(1 + number // 2 % 5)),
            "optimizer": ("sgd", f"adamw{name}")[number // 10 % 2],
            "model.hidden": str(16 << number // 20),
            "seed": str(number % 2),
        }
        with Journal(place) as journal:
            parent = {"id": above, "folder": str(folder)}
            told = {"name": f"{name} {number}", "params": values, "tags": tags, "parent": parent}
            begin(journal, f"{number:064x}", **told)
            for epoch in range(1, epochs + 1):
                accuracy = 0.99 - numbers.random() / epoch - number / 1000
                loss = math.exp(-epoch / 20) + numbers.random() / 10
                metrics = {"val_accuracy": max(0.0, accuracy), "val_loss": loss}
                more = {"train_loss": loss * numbers.random(), "lr": 0.1, "epoch_seconds": 0.5}
                more |= {"val_f1": accuracy / 2, "grad_norm": 1 / epoch}
                journal.write("metrics", metrics=metrics | more, step=epoch)
            journal.write("metrics", metrics=RESULT, step=epochs)
            journal.write("end", status="FINISHED")
    with Journal(folder) as journal:
        journal.write("end", status="FINISHED")
    return folder
