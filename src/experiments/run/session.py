"""A run from its request to its result: preparation, training with a record, report."""

from __future__ import annotations

import json
import logging
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from experiments import journal
from experiments.config import RunConfig
from experiments.config.from_data import with_model
from experiments.distributed.team import join, leave
from experiments.errors import InputError, RunError
from experiments.process.signals import interruptible
from experiments.provenance.origin import ORIGIN, commit_of_command, tags, write_origin
from experiments.registry.earlier import MEASURES
from experiments.registry.identities import claimed, note_planned
from experiments.registry.objective import Objective, shown
from experiments.run.describe_data import described
from experiments.run.prepare import Prepared, prepare
from experiments.run.request import Request
from experiments.run.train_and_test import tidy, train_and_test
from experiments.tracking import (
    Recorder,
    Wishes,
    give,
    given,
    links_for_run,
    logged_to,
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
    prepared = prepare(config, request.folder, planned=request.is_planned)
    if request.sweep is not None and prepared.parts.not_compiled is not None:
        raise InputError(  # the plan of the sweep has the identity of a compiled run
            f"trainer.compile={config.trainer.compile}: {prepared.parts.not_compiled}; set "
            "trainer.compile=null"
        )
    source = prepared.ingredients.source_sha256
    # The worker may have imported the planned source, and would record the edited one.
    if request.planned_source and request.planned_source != source:
        raise InputError(
            "the source was edited after the sweep was planned; repeat the command to plan it anew"
        )
    _note_planned(prepared, request)
    if prepared.finished:
        prepared = with_metrics(prepared)
        for line in report(prepared, request):
            _log.info("%s", line)
    return prepared


def with_metrics(prepared: Prepared) -> Prepared:
    """Return a prepared run whose finished earlier run is measured by all metrics.

    Raises:
        InputError: another process writes the journal of the finished run.
    """
    finished, objective = prepared.finished, Objective.of_task(prepared.config.task)
    if finished is None or finished.answers(prepared.ingredients.measures, objective):
        return prepared
    if finished.folder is None:  # the run is elsewhere, measured by all metrics
        return replace(prepared, earlier=replace(finished, ranked_by=objective))
    from experiments.run.measure import measured

    return replace(prepared, earlier=measured(prepared))


def _note_planned(prepared: Prepared, request: Request) -> None:
    """Enter a job's run under its planned identity, if the plan did not know the device."""
    planned, config = request.planned_identity, prepared.config
    if not planned or planned == prepared.identity:
        return  # the claim of the run enters it
    folder = prepared.finished.folder if prepared.finished else prepared.folder
    if folder and planned == prepared.ingredients.on(config.trainer.device).identity:
        note_planned(Path(config.outputs), planned, prepared.identity, folder)


def report(prepared: Prepared, request: Request) -> list[str]:
    """Deliver a finished run to the MLflow experiment of a configuration; return lines about it.

    Args:
        prepared: the prepared run, which is finished.
        request: the request that asks for it.
    """
    finished, config = prepared.finished, prepared.config
    assert finished is not None  # noqa: S101  (there is no report of other runs)
    parent = parent_of(request.sweep) if request.sweep else None
    folder, tracking = finished.folder, config.tracking
    run_id, later = finished.run_id, ""
    if folder is not None and not request.is_delivered:
        try:
            give(folder, _given(config, request))
        except (InputError, RunError) as error:
            later = f"; it keeps its name, tags and note: {error}"
    if folder is not None and tracking.uri is not None and not request.is_delivered:
        wishes = wishes_of(config, request)
        run_id, problem = record_again(folder, tracking.uri, tracking.experiment, parent, wishes)
        if problem is not None:
            later += f"; MLflow has not taken all of it: {what_to_do(problem, folder)}"
        if reason := model_problem_of(folder):
            later += f"; MLflow has no model of it ({reason})"
    elif folder is not None:
        run_id = run_id_of(folder)
    places = [] if folder is None else [os.path.relpath(folder)]
    places += [f"MLflow run {run_id}"] if run_id else []
    result = "it diverged"
    if not finished.diverged:
        name = config.task.objective
        result = f"test {name} {shown(name, finished.metrics[f'test_{name}']) or 'NaN'}"
        others = [each for each in config.task.metrics if each != name]
        values = {each: finished.metrics.get(f"test_{each}", math.nan) for each in others}
        result += "".join(f", {each} {shown(each, values[each]) or 'NaN'}" for each in others)
    if finished.warning and not finished.diverged:
        result += f", {finished.warning.partition(':')[0]}"
    links = links_for_run(folder) if folder is not None and request.sweep is None else []
    again = f"force=true trains {'and profiles it' if config.trainer.profile else 'it anew'}"
    line = f"Finished before: {result} ({', '.join(places)}); {again}{later}"
    return [*prepared.warnings, line, *links]


def wishes_of(config: RunConfig, request: Request) -> Wishes:
    """Return the wishes for a run's copy in MLflow; of a sweep, only the best run gets a model."""
    tracking, alone = config.tracking, request.sweep is None
    return Wishes(
        request.name(tracking.run_name),
        log_model=tracking.log_model and alone,
        register=tracking.registry_name if alone else None,
        system_metrics=tracking.system_metrics,
    )


def _given(config: RunConfig, request: Request) -> dict[str, str]:
    """Return the name, tags and note that a configuration gives a run, as tags."""
    return given(config.tracking, request.name(config.tracking.run_name))


@contextmanager
def recorded(prepared: Prepared, request: Request) -> Iterator[Recorder]:
    """Claim and record a run during its training; delete needless checkpoints at its end."""
    config, parts, folder = prepared.config, prepared.parts, prepared.folder
    told = with_model(config, parts.sizes)
    for warning in prepared.warnings:
        _log.warning("%s", warning)
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
            name=request.name(config.tracking.run_name),
            params={**request.choices, **told.leaves()},
            tags=tags(source)
            | Objective.of_task(config.task).tags
            | {"data_sha256": parts.splits.sha256, "device": str(parts.device)}
            | {MEASURES: json.dumps(prepared.ingredients.measures)},
            given=_given(config, request),
            dataset=described(parts.splits, config),
            parent=parent_of(request.sweep) if request.sweep else None,
            wishes=wishes_of(config, request),
            delivered=request.is_delivered,
        ) as recorder:
            if (count := str(parts.team.size)) != past.tags.get("processes", "1"):
                recorder.tags({"processes": count})  # that of the last start
            if not past.artifacts.intersection(ORIGIN):  # a dead run may have a report
                ingredients = prepared.ingredients.public(config)
                origin = write_origin(folder, told.public(), request.shown, ingredients, source)
                recorder.artifacts(*origin)
            with logged_to(recorder):
                yield recorder
        tidy(folder, recorder.result)
    _log.info("Everything about this run: %s", os.path.relpath(folder))


def train(prepared: Prepared, request: Request) -> float:
    """Train, test and record a prepared run; return its objective, NaN if it diverged.

    Raises:
        Interrupted: a signal has stopped the run, which has saved a checkpoint.
        RuntimeError: a part of the run called `sys.exit`.
    """
    team = join(prepared.parts.device)
    told = os.fsencode(prepared.folder.absolute())
    team.content_of_first(told, prepared.parts.device)  # the others name it in their errors
    prepared = replace(prepared, parts=replace(prepared.parts, team=team))
    with interruptible() as check, recorded(prepared, request) as recorder:
        result = train_and_test(
            config=prepared.config,
            parts=prepared.parts,
            identity=prepared.identity,
            overrides=request.shown,
            recorder=recorder,
            folder=prepared.folder,
            check=check if team.size == 1 else team.check,
        )
    leave()
    return result.objective
