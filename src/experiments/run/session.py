"""A run from its request to its result: preparation, training with a record, report."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from experiments import journal
from experiments.config import RunConfig
from experiments.errors import InputError
from experiments.process.signals import interruptible
from experiments.provenance.origin import ORIGIN, commit_of_command, tags, write_origin
from experiments.registry.earlier import Earlier
from experiments.registry.identities import claimed, note_planned
from experiments.run.describe_data import described
from experiments.run.lifecycle import tidy, train_and_test
from experiments.run.prepare import Prepared, prepare
from experiments.run.request import Request
from experiments.tracking import (
    Recorder,
    Wishes,
    links_for_run,
    model_problem_of,
    parent_of,
    record_again,
    recording,
    run_id_of,
    what_to_do,
)

_log = logging.getLogger(__name__)


def prepare_job(config: RunConfig, request: Request) -> Prepared:
    """Prepare a run in its own folder, and report a finished earlier run in its log.

    A job of a sweep is prepared here, and a run whose configuration was changed after `Preflight`.

    Raises:
        InputError: the job cannot be run, or the source was edited after the sweep was planned.
    """
    prepared = prepare(config, request.folder, planned=request.is_delivered)
    source = prepared.ingredients.source_sha256
    # The worker may have imported the planned source, and would record the edited one.
    if request.planned_source and request.planned_source != source:
        raise InputError(
            "the source was edited after the sweep was planned; repeat the command to plan it anew"
        )
    _note_planned(prepared, request)
    if prepared.finished:
        for line in report(prepared.finished, config, request):
            _log.info("%s", line)
    return prepared


def _note_planned(prepared: Prepared, request: Request) -> None:
    """Enter a job's run under its planned identity, if the plan did not know the device."""
    planned, config = request.planned_identity, prepared.config
    if not planned or planned == prepared.identity:
        return  # the claim of the run enters it
    folder = prepared.finished.folder if prepared.finished else prepared.folder
    if folder and planned == prepared.ingredients.on(config.trainer.device).identity:
        note_planned(Path(config.outputs), planned, prepared.identity, folder)


def report(finished: Earlier, config: RunConfig, request: Request) -> list[str]:
    """Deliver a finished run to the MLflow experiment of a configuration; return lines about it.

    Args:
        finished: the run.
        config: the configuration that asks for it.
        request: the request that asks for it.
    """
    parent = parent_of(request.sweep) if request.sweep else None
    folder, tracking = finished.folder, config.tracking
    run_id, later = finished.run_id, ""
    if folder is not None and tracking.uri is not None and not request.is_delivered:
        wishes = wishes_of(config, request)
        run_id, problem = record_again(folder, tracking.uri, tracking.experiment, parent, wishes)
        if problem is not None:
            later = f"; MLflow has not taken all of it: {what_to_do(problem, folder)}"
        if reason := model_problem_of(folder):
            later += f"; MLflow has no model of it ({reason})"
    elif folder is not None:
        run_id = run_id_of(folder)
    places = [] if folder is None else [os.path.relpath(folder)]
    places += [f"MLflow run {run_id}"] if run_id else []
    result = "it diverged"
    if not finished.diverged:
        result = f"test accuracy {100 * finished.metrics['test_accuracy']:.2f} %"
    if finished.warning and not finished.diverged:
        result += f", {finished.warning.partition(':')[0]}"
    links = links_for_run(folder) if folder is not None and request.sweep is None else []
    line = f"Finished before: {result} ({', '.join(places)}); force=true trains it anew{later}"
    return [line, *links]


def wishes_of(config: RunConfig, request: Request) -> Wishes:
    """Return the wishes for a run's copy in MLflow; of a sweep, only the best run gets a model."""
    tracking, alone = config.tracking, request.sweep is None
    return Wishes(
        request.name,
        log_model=tracking.log_model and alone,
        register=tracking.registry_name if alone else None,
        system_metrics=tracking.system_metrics,
    )


@contextmanager
def recorded(prepared: Prepared, request: Request) -> Iterator[Recorder]:
    """Claim and record a run during its training; delete needless checkpoints at its end."""
    config, parts, folder = prepared.config, prepared.parts, prepared.folder
    if prepared.warning:
        _log.warning(prepared.warning)
    source = commit_of_command(request.sweep)
    if source is not None and source.problem is not None:
        _log.warning("Without the whole state of the source: %s", source.problem)
    outputs = Path(config.outputs)
    with claimed(outputs, prepared.identity, folder, earlier=prepared.here) as opened:
        past = journal.history(folder)
        with recording(
            journal=opened,
            past=past,
            uri=config.tracking.uri,
            identity=prepared.identity,
            experiment=config.tracking.experiment,
            name=request.name,
            params={**request.choices, **config.leaves()},
            tags=tags(source) | {"data_sha256": parts.splits.sha256, "device": str(parts.device)},
            dataset=described(parts.splits, config),
            parent=parent_of(request.sweep) if request.sweep else None,
            wishes=wishes_of(config, request),
            delivered=request.is_delivered,
        ) as recorder:
            if not past.artifacts.intersection(ORIGIN):  # a dead run may have a report
                ingredients = prepared.ingredients.public(config)
                origin = write_origin(folder, config.public(), request.shown, ingredients, source)
                recorder.artifacts(*origin)
            yield recorder
        tidy(folder, recorder.result)
    _log.info("Everything about this run: %s", os.path.relpath(folder))


def train(prepared: Prepared, request: Request) -> float:
    """Train, test and record a prepared run; return its objective, 0 to 1, or NaN if it diverged.

    Raises:
        Interrupted: a signal has stopped the run, which has saved a checkpoint.
        RuntimeError: a part of the run called `sys.exit`.
    """
    with interruptible() as check, recorded(prepared, request) as recorder:
        result = train_and_test(
            config=prepared.config,
            parts=prepared.parts,
            identity=prepared.identity,
            overrides=request.shown,
            recorder=recorder,
            folder=prepared.folder,
            check=check,
        )
    return result.objective
