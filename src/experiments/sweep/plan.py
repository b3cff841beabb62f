"""The plan of a sweep: every job composed, checked and compared with earlier runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from hydra.errors import HydraException
from omegaconf import DictConfig, open_dict
from omegaconf.errors import OmegaConfBaseException

from experiments.composition.hydra_config import checked, log_of
from experiments.composition.hydra_errors import in_one_line
from experiments.config import RunConfig
from experiments.errors import InputError
from experiments.files.folders import check_writable
from experiments.identity.ingredients import ingredients_of
from experiments.registry.earlier import Earlier, foremost
from experiments.registry.identities import look_up
from experiments.registry.integrity import check_weights
from experiments.registry.objective import Objective
from experiments.run.prepare import ask_store
from experiments.sweep.compose import SweepLoader
from experiments.sweep.data_and_device import facts_of
from experiments.sweep.folders import check_apart, subdir_of
from experiments.sweep.jobs import Job, Kind, Plan, named
from experiments.sweep.planning_progress import telling
from experiments.tracking import check_store

_SHOWN = 5  # errors


def make_plan(
    loader: SweepLoader,
    master: DictConfig,
    combinations: Sequence[tuple[str, ...]],
    *,
    here: bool,
) -> Plan:
    """Compose and check all jobs, and look up each job's earlier run.

    Loads neither torch nor mlflow, unless a data set or device needs them: see `facts_of`.

    Args:
        loader: composes the jobs.
        master: the sweep's composed configuration.
        combinations: the overrides of each job.
        here: whether all jobs run on this machine.

    Raises:
        InputError: jobs cannot be run; the message names the first of them.
    """
    composed = []
    with telling("composed and checked", len(combinations)) as advance:
        for number, each in enumerate(combinations):
            composed.append(_compose(loader, master, number, each))
            advance(1)
    shared = set.intersection(*map(set, combinations))
    varied = [tuple(text for text in each if text not in shared) or each for each in combinations]
    refuse_errors(varied, [error for _, _, error in composed])
    configs = [config for config, _, _ in composed if config is not None]
    found = facts_of(configs, here=here)
    refuse_errors(varied, [each if isinstance(each, str) else None for each in found])
    facts = [each for each in found if not isinstance(each, str)]
    for outputs in {config.outputs for config in configs}:
        check_writable("outputs", Path(outputs))
    jobs: list[Job] = []
    first: dict[str, int] = {}
    unbelieved: list[str | None] = [None] * len(configs)
    for number, (overrides, config, (_, (subdir, log), _), (data_sha256, device)) in enumerate(
        zip(combinations, configs, composed, facts, strict=True)
    ):
        ingredients = ingredients_of(config, data_sha256=data_sha256, device=device)
        identity = ingredients.identity
        twin = first.setdefault(identity, number)
        earlier: Earlier | None = None
        kind: Kind = "duplicate"
        if twin == number:
            folder = Path(master.hydra.sweep.dir, subdir)
            earlier = look_up(Path(config.outputs), identity, folder)
            kind = _kind(earlier, config, ingredients.measures)
        if kind in {"finished", "to measure"} and earlier and earlier.folder:
            unbelieved[number] = _weights_problem(earlier.folder)
        jobs.append(
            Job(
                number,
                overrides,
                config,
                identity,
                ingredients.source_sha256,
                ingredients.measures,
                here,
                kind,
                earlier,
                subdir,
                log,
                twin if twin != number else None,
                varied[number],
            )
        )
    refuse_errors(varied, unbelieved)
    check_apart({job.number: job.subdir for job in jobs if job.twin is None})
    told = json.dumps({"sweep": list(first)})
    return Plan(jobs, hashlib.sha256(told.encode()).hexdigest())


def _weights_problem(folder: Path) -> str | None:
    try:
        check_weights(folder)
    except InputError as error:
        return str(error)
    return None


def ask_stores(plan: Plan) -> tuple[Plan, str | None]:
    """Look up the jobs left in the tracking store, which knows runs on other machines too.

    Returns:
        The plan with these runs, and a warning if the store cannot be asked at the moment.

    Raises:
        InputError: the store's address is wrong, or the experiment is deleted.
    """
    for uri in filter(None, {job.config.tracking.uri for job in plan.left}):
        check_store(uri)
    jobs, warning = [], None
    with telling("looked up in MLflow", len(plan.jobs)) as advance:
        for job in plan.jobs:
            config, earlier = job.config, job.earlier
            if job.kind in {"new", "to resume"} and config.tracking.uri and not warning:
                there, warning = ask_store(config, job.identity)
                earlier = foremost(earlier, there)
                kind = _kind(earlier, config, job.measures)
                jobs.append(replace(job, earlier=earlier, kind=kind))
            else:
                jobs.append(job)
            advance(1)
    return replace(plan, jobs=jobs), warning


def _kind(earlier: Earlier | None, config: RunConfig, measures: Mapping[str, str]) -> Kind:
    """Return the kind of a job whose identity has this earlier run."""
    force = config.force
    if earlier is None:
        return "new"
    if earlier.state == "alive":
        return "in use"
    if force or (earlier.state == "dead" and earlier.folder is None):
        return "new"
    if earlier.state != "finished":
        return "to resume"
    if earlier.answers(measures, Objective.of_task(config.task)):
        return "finished"
    return "to measure" if earlier.folder else "new"


def _compose(
    loader: SweepLoader, master: DictConfig, number: int, overrides: tuple[str, ...]
) -> tuple[RunConfig | None, tuple[str, str], str | None]:
    """Return a job's configuration, its folder and log's name; or None, blanks and the error."""
    try:
        config = loader.load_sweep_config(master, overrides)
        with open_dict(config.hydra.job):
            config.hydra.job.num = number
            config.hydra.job.id = str(number)
        return checked(config), (subdir_of(config), log_of(config)), None
    except (InputError, HydraException, OmegaConfBaseException, ValueError) as error:
        said = in_one_line(error)
        if said is None:
            raise
        return None, ("", ""), said


def refuse_errors(varied: Sequence[tuple[str, ...]], errors: Iterable[str | None]) -> None:
    """Refuse a sweep if any of its jobs has an error.

    Args:
        varied: the overrides of each job that not all jobs share.
        errors: the error of each job, None if it has none.

    Raises:
        InputError: a job has an error; the message names the first of them.
    """
    found = [(number, error) for number, error in enumerate(errors) if error is not None]
    if not found:
        return
    if len(found) == len(varied) and len({error for _, error in found}) == 1:
        raise InputError(found[0][1])  # the cause is in the values that all jobs share
    first = [f"job {number} ({named(varied[number])}): {error}" for number, error in found[:_SHOWN]]
    count = f"{len(found)} of {len(varied)} jobs are invalid and none was begun"
    raise InputError(f"{count}; {'; '.join(first)}{'; …' if len(found) > _SHOWN else ''}")
