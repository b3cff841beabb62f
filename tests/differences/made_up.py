"""Runs that nobody trained, in real folders: journals, files of their origin, weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from safetensors.numpy import save_file

from experiments.catalog.summary import Summary, summary_of
from experiments.identity.canonical import sha256_of_data
from experiments.journal import Journal

POINTS = {
    1: {"train_loss": 0.5, "epoch_seconds": 1.0},
    2: {"train_loss": 0.25, "epoch_seconds": 2.0},
}


def run(
    folder: Path,
    *,
    lr: float = 0.1,
    points: Mapping[int, Mapping[str, float]] = POINTS,
    weight: float = 1.0,
    status: str | None = "FINISHED",
    **ingredients: Any,
) -> Summary:
    """Write a run; its identity follows from its ingredients."""
    folder.mkdir(parents=True)
    config = {"optimizer": {"lr": lr}, "data": {"root": str(folder)}, "seed": 0}
    told: dict[str, Any] = {
        "config": {"optimizer": {"lr": lr}, "seed": 0},
        "source": {"experiments": "a" * 64},
        "data_sha256": "b" * 64,
        "device": "cpu",
        "versions": {"python": "3.11.7", "torch": "2.15.0"},
    } | ingredients
    environment = {"processor": "x", "cores": 2, "packages": {"numpy": "2.0", "torch": "2.15.0"}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    (folder / "overrides.yaml").write_text(yaml.safe_dump([f"optimizer.lr={lr}", "tracking=none"]))
    (folder / "identity.json").write_text(json.dumps(told))
    (folder / "environment.json").write_text(json.dumps(environment))
    weights = folder / "weights.safetensors"
    save_file({"w": np.full((2, 2), weight, np.float32)}, weights)
    params = {"optimizer.lr": json.dumps(lr), "data.root": str(folder), "seed": "0"}
    with Journal(folder) as journal:
        journal.write(
            "start",
            id=hashlib.sha256(str(folder).encode()).hexdigest()[:32],
            identity=sha256_of_data(told),
            experiment="mnist",
            name=f"lr={lr}",
            params=params,
            tags={"git_commit": "c" * 40},
            host="here",
            pid=1,
        )
        for step, metrics in points.items():
            journal.write("metrics", metrics=metrics, step=step)
        if status is not None:
            sha = hashlib.sha256(weights.read_bytes()).hexdigest()
            journal.write("tags", tags={"weights_sha256": sha})
            journal.write("end", status=status)
    found = summary_of(folder)
    assert found is not None
    return found
