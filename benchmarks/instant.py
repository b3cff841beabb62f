"""A sweep's task that finishes a job at once, and the facts that it takes from the plan.

It has a module of its own, which the processes of launchers import.
"""

from __future__ import annotations

import functools
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from experiments import journal
from experiments.composition.hydra_config import typed
from experiments.composition.run_names import key_of, value_of
from experiments.registry.identities import claimed, look_up
from experiments.registry.objective import ACCURACY
from experiments.run.request import number_of
from experiments.sweep.jobs import Job
from experiments.sweep.task import Task
from experiments.tracking import parent_of, recording

FACTS = ".instant.json"
"""the file in the sweep's folder with the facts that a job takes from its plan"""


class InstantTask(Task):
    """Finishes a job at once, with a real claim and a real journal."""

    def _train(self, configs: Sequence[DictConfig]) -> Iterator[dict[str, Any]]:
        told = _facts(self.sweep)
        for config in configs:
            number = number_of(config.hydra)
            draw = random.Random(number)
            accuracy = 0.9 + 0.01 * draw.random()
            folder, overrides = Path(config.hydra.runtime.output_dir), config.hydra.overrides.task
            own = {key_of(text): value_of(text) for text in typed(overrides)}
            outputs, identity = Path(config.outputs), told["identities"][number]
            earlier = look_up(outputs, identity, folder)
            with (
                claimed(outputs, identity, folder, earlier=earlier) as opened,
                recording(
                    journal=opened,
                    past=journal.history(folder),
                    uri=told["uri"],
                    identity=identity,
                    experiment=told["experiment"],
                    name=" ".join(own.values()),
                    params=told["params"] | own,
                    tags=ACCURACY.tags | {"mlflow.experiments.measures": told["measures"]},
                    given={},
                    dataset=None,
                    parent=parent_of(self.sweep),
                    delivered=True,
                ) as recorder,
            ):
                recorder.metrics({"train_loss": 1 - accuracy, "epoch_seconds": 0.05}, 1)
                recorder.metrics({"test_loss": 1 - accuracy, "test_accuracy": accuracy}, 1)
            yield {"number": number, "state": "finished", "objective": accuracy}


@functools.cache
def _facts(sweep: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((sweep / FACTS).read_text())
    told["identities"] = {int(number): text for number, text in told["identities"].items()}
    return told


def leave_facts(jobs: Sequence[Job], sweep: Path) -> None:
    settings = jobs[0].config
    told = {
        "identities": {job.number: job.identity for job in jobs},
        "params": settings.leaves(),
        "uri": settings.tracking.uri,
        "experiment": settings.tracking.experiment,
        "measures": json.dumps(dict(jobs[0].measures)),
    }
    (sweep / FACTS).write_text(json.dumps(told))
