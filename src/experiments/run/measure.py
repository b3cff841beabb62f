"""Measuring: the metrics that a finished run lacks, computed from its kept weights."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

from safetensors.torch import load_file

from experiments import journal
from experiments.errors import InputError
from experiments.journal import InUseError, Journal
from experiments.registry.earlier import MEASURES, Earlier, redefined
from experiments.registry.integrity import WEIGHTS
from experiments.registry.objective import Objective
from experiments.run.measure_again import measure_again
from experiments.run.prepare import Prepared


def measured(prepared: Prepared) -> Earlier:
    """Measure the metrics that a finished run lacks, and add them to its journal.

    The values are those of the last epoch, on the test and the validation split: if the weights of
    another epoch are kept (`save_best`), the metrics are part of the identity, and none is missing.

    Args:
        prepared: the prepared run; `unmeasured` names the metrics.

    Returns:
        The finished run, with these metrics.

    Raises:
        InputError: another process writes the run's journal, or a metric raises an exception.
    """
    finished = prepared.finished
    assert finished is not None  # noqa: S101  (only a finished run in a folder is measured)
    folder = finished.folder
    assert folder is not None  # noqa: S101
    try:
        with Journal(folder) as opened:
            past = journal.history(folder)
            last = max(step for key, step in past.points if key == "train_loss")
            measures = {**finished.measures, **prepared.ingredients.measures}
            objective = Objective.of_task(prepared.config.task)
            tags = {**objective.tags, MEASURES: json.dumps(measures)}
            if found := _measure(prepared, folder, last):
                changed, mark = redefined(past, tags)
                tags |= mark
                opened.write("metrics", metrics=found, step=last, redefined=changed)
            # Written last: if the process dies before, the metrics are measured once more.
            opened.write("tags", tags=tags)
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
    config, parts, names = prepared.config, prepared.parts, prepared.unmeasured
    parts.model.load_state_dict(load_file(folder / WEIGHTS))
    found = measure_again(names, "test", config, parts, epoch=epoch)
    return found | measure_again(names, "validation", config, parts, epoch=epoch)
