"""Summaries of runs that nobody trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from experiments.catalog.summary import Summary


def summary(number: int = 0, **changed: Any) -> Summary:
    """Return a finished run; each number has its own ids and a later beginning."""
    facts: dict[str, Any] = {
        "folder": Path(f"outputs/{number}"),
        "id": f"{number:04x}" + "a" * 28,
        "identity": f"{number:04x}" + "b" * 60,
        "is_sweep": False,
        "name": f"lr={number}",
        "state": "finished",
        "status": "FINISHED",
        "begun": 1_790_000_000_000 + number,
        "changed": 1_790_000_001_000 + number,
        "seconds": 1.5,
        "params": {"model": "simplenet", "optimizer.lr": "0.1", "seed": str(number)},
        "metrics": {"test_accuracy": number / 100},
        "tags": {},
        "experiment": "mnist",
        "host": "here",
        "pid": 1,
        "sweeps": (),
        "mlflow_ids": (f"{number:04x}" + "c" * 28,),
    }
    return Summary(**facts | changed)
