"""Measuring: the metrics that a finished run lacks, computed from its kept weights."""

from __future__ import annotations

import copy
import json
import os
from dataclasses import replace
from pathlib import Path

from safetensors.torch import load_file

from experiments import journal
from experiments.data.splits import Split
from experiments.errors import InputError
from experiments.journal import InUseError, Journal
from experiments.randomness import derive
from experiments.registry.earlier import MEASURES, Earlier
from experiments.registry.integrity import WEIGHTS
from experiments.registry.objective import Objective
from experiments.run.prepare import Prepared
from experiments.training.evaluation import evaluate


def measured(prepared: Prepared) -> Earlier:
    """Measure the metrics that a finished run lacks, and add them to its journal.

    The values are those of the last epoch, on the test and the validation split: if the weights of
    another epoch are kept (`save_best`), the metrics are part of the identity, and none is missing.

    Args:
        prepared: the prepared run; `unmeasured` names the metrics.

    Returns:
        The finished run, with these metrics.

    Raises:
        InputError: another process writes the run's journal.
    """
    finished = prepared.finished
    assert finished is not None  # noqa: S101  (only a finished run in a folder is measured)
    folder = finished.folder
    assert folder is not None  # noqa: S101
    try:
        with Journal(folder) as opened:
            past = journal.history(folder)
            last = max(step for key, step in past.points if key == "train_loss")
            if found := _measure(prepared, folder, last):
                opened.write("metrics", metrics=found, step=last)
            # Written last: if the process dies before, the metrics are measured once more.
            measures = {**finished.measures, **prepared.ingredients.measures}
            objective = Objective.of_task(prepared.config.task)
            opened.write("tags", tags={**objective.tags, MEASURES: json.dumps(measures)})
            opened.sync()
    except InUseError as error:
        raise InputError(
            f"{os.path.relpath(folder)}: another process is writing this run; repeat the command"
        ) from error
    metrics = journal.history(folder).metrics
    return replace(finished, metrics=metrics, ranked_by=objective, measures=measures)


def _measure(prepared: Prepared, folder: Path, epoch: int) -> dict[str, float]:
    """Return the test and validation metrics of a run's kept weights, those of an epoch."""
    if not prepared.unmeasured:
        return {}
    parts, seed = prepared.parts, prepared.config.seed
    parts.model.load_state_dict(load_file(folder / WEIGHTS))
    task = copy.copy(parts.task)
    task.metrics = {name: parts.task.metrics[name] for name in prepared.unmeasured}

    def values(split: Split | None, name: str, seed: int) -> dict[str, float]:
        if split is None:
            return {}
        (found,) = evaluate(
            models=[parts.model],
            seeds=[seed],
            task=task,
            split=split,
            limit_batches=prepared.config.trainer.limit_batches,
            after_batch=lambda: None,
        )
        return {f"{name}_{key}": value for key, value in found.metrics.items()}

    splits = parts.splits
    validated = values(splits.validation, "val", derive(seed, "evaluation", epoch))
    return values(splits.test, "test", derive(seed, "test")) | validated
