"""A whole sweep, from its command line to its verdict."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Sequence
from pathlib import Path

import cloudpickle
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from experiments.composition.hydra_config import check_hydra, typed
from experiments.composition.secret_overrides import without_secrets
from experiments.errors import AliveError, InputError
from experiments.files.folders import check_writable
from experiments.process.signals import Interrupted, interrupting, last_words, raising
from experiments.registry.earlier import Earlier
from experiments.registry.identities import claimed, look_up
from experiments.run.folder import removed_if_refused
from experiments.sweep.compose import SweepLoader, expand
from experiments.sweep.deliver_jobs import Delivering, deliver_again, deliver_best_model
from experiments.sweep.failures import failures
from experiments.sweep.folders import check_unused
from experiments.sweep.gpus import about_gpus
from experiments.sweep.job_returns import without_configurations
from experiments.sweep.jobs import Plan
from experiments.sweep.launchers import (
    LauncherFacts,
    check_program,
    launcher_facts,
    make_launcher,
)
from experiments.sweep.outcomes import Outcomes
from experiments.sweep.plan import ask_stores, make_plan
from experiments.sweep.print_plan import print_plan, say
from experiments.sweep.record import parent_run, record_end
from experiments.sweep.relaunch import run_jobs
from experiments.sweep.report import JobResult, results_of
from experiments.sweep.task import Task
from experiments.sweep.try_first_steps import try_first_steps
from experiments.sweep.verdict import Verdict, judge
from experiments.sweep.verdict_text import Line, as_lines
from experiments.sweep.view import View, watching
from experiments.tracking import links_for_sweep, run_id_of
from experiments.worker.client import worker

_MULTIRUN = "hydra.mode=MULTIRUN"  # Hydra's word for -m


def run_grid(
    context: HydraContext, main: TaskFunction, config: DictConfig, arguments: Sequence[str]
) -> None:
    """Plan a sweep over all combinations and run every job that is not finished.

    Args:
        context: Hydra's context.
        main: the program's main function.
        config: the sweep's composed configuration.
        arguments: the overrides, some of them with several values.

    Raises:
        InputError: the sweep or one of its jobs cannot be run; nothing was begun.
        RunError: jobs have failed.
    """
    check_hydra(config)
    if not config.hydra.sweep.dir:
        raise InputError("hydra.sweep.dir=: is empty; name a folder")
    check_writable("hydra.sweep.dir", Path(config.hydra.sweep.dir))
    loader = SweepLoader(context.config_loader.get_search_path())
    facts = launcher_facts(loader, config)
    reached = facts.environment or not facts.remote
    arguments = without_secrets(config, arguments, reached=reached)
    with last_words("stopped; no run was trained or created"):
        plan = _planned(loader, config, arguments, facts)
    settings = plan.jobs[0].config
    if settings.sweep.plan_only:
        return
    earlier = look_up(Path(settings.outputs), plan.identity, Path(config.hydra.sweep.dir))
    known = _folder_of(earlier) if not settings.force else None
    folder = (known or Path(config.hydra.sweep.dir)).absolute()
    if earlier and earlier.state == "finished" and not plan.left:
        deliver_again(plan.jobs, folder)
        results = results_of(plan, folder, {})
        verdict = judge(results)
        deliver_best_model(results, verdict.ranking, folder)
        _print_verdict(results, verdict, folder)
        return
    check_writable("hydra.sweep.dir", folder)
    if known is None:
        check_unused(folder)
    options = [text for text in typed(config.hydra.overrides.hydra) if text != _MULTIRUN]
    loader.settle(config, folder)
    task = Task(
        _pickled(main),
        folder,
        str(time.time_ns()),
        platform.node(),
        os.getpid(),
        settings.sweep.fail_fast,
    )
    hydra = HydraContext(loader, without_configurations(context.callbacks))
    launcher = make_launcher(hydra, task, config, facts.extra)
    folder.mkdir(parents=True, exist_ok=True)
    view = View(plan.jobs, folder)
    try:
        with removed_if_refused(folder), raising():  # once the jobs have saved a checkpoint
            _train(
                plan, [*options, *arguments], launcher, Outcomes(folder, task.turn), view, earlier
            )
    except (Interrupted, KeyboardInterrupt):
        finished = view.progress.count("finished")
        say(
            f"Stopped: {finished} of {view.progress.total} jobs are finished, "
            f"{view.progress.total - finished} are left; the same command resumes the sweep"
        )
        raise


def _planned(
    loader: SweepLoader, config: DictConfig, arguments: Sequence[str], facts: LauncherFacts
) -> Plan:
    """Return the plan of a sweep, checked, asked for in the stores and printed."""
    combinations = expand(arguments, loader, at_most=_max_jobs(config))
    plan = make_plan(loader, config, combinations, here=not facts.remote)
    settings = plan.jobs[0].config
    about = list(about_gpus([job.config for job in plan.jobs], facts))
    if plan.left:
        if not settings.sweep.plan_only:
            check_program(config, facts)
        worker()  # imports torch while the store is asked
        plan, warning = ask_stores(plan)
        say(*filter(None, [warning]))
        say(*try_first_steps(plan, fetch=not settings.sweep.plan_only))
        if not (facts.in_this_process or "workers" in config.hydra.launcher):
            worker().dismiss()  # frees its memory for the workers of the launcher
    print_plan(plan, facts, about)
    return plan


def _train(
    plan: Plan,
    arguments: Sequence[str],
    launcher: Launcher,
    outcomes: Outcomes,
    view: View,
    earlier: Earlier | None,
) -> None:
    """Run the jobs that are not finished; record the sweep and print its verdict."""
    outputs, folder = Path(plan.jobs[0].config.outputs), outcomes.sweep
    results: list[JobResult] = []
    verdict: Verdict | None = None
    try:
        with (
            claimed(outputs, plan.identity, folder, earlier=earlier) as opened,
            parent_run(opened, plan, arguments) as recorder,
        ):
            outcomes.begin()
            delivering = Delivering(plan.jobs, folder)
            with watching(view, outcomes, delivering), interrupting():
                run_jobs(plan.left, launcher, outcomes, folder)
            delivering.finish()
            results = results_of(plan, folder, outcomes.all())
            verdict = judge(results)
            deliver_best_model(results, verdict.ranking, folder)
            record_end(recorder, results, verdict, folder)
    finally:
        if verdict is not None:  # after the record, because printing may fail
            _print_verdict(results, verdict, folder)


def _pickled(main: TaskFunction) -> bytes:
    try:
        return bytes(cloudpickle.dumps(main))
    except Exception as error:
        raise InputError(
            f"train.py: its main function cannot be sent to another process ({error}); move the "
            "objects that it uses into a module"
        ) from error


def _max_jobs(config: DictConfig) -> int:
    given = OmegaConf.select(config, "sweep.max_jobs")
    if not isinstance(given, int) or given < 1:
        raise InputError(f"sweep.max_jobs={given}: it should be a whole number above 0")
    return given


def _folder_of(earlier: Earlier | None) -> Path | None:
    """Return the folder of the sweep to resume; None if it has none.

    Raises:
        AliveError: another process runs the sweep.
    """
    if earlier and earlier.state == "alive":
        raise AliveError(
            f"this sweep is being run by process {earlier.pid} on {earlier.host}; wait for it, or "
            "stop it and repeat the command, which then resumes it"
        )
    return earlier.folder if earlier else None


def _print_verdict(results: Sequence[JobResult], verdict: Verdict, folder: Path) -> None:
    console = Console(soft_wrap=True, highlight=False, markup=False)
    lines = list(as_lines(verdict))
    failed = list(failures(results, folder))
    if failed:
        count = sum(not result.finished for result in results)
        lines.append(Line(f"{count} of {len(results)} jobs have not finished:", "red"))
        lines += [Line(text, "red") for text in failed]
    waiting = sum(result.held_back for result in results)
    if waiting:
        lines.append(Line(f"{waiting} jobs were not begun, as another had failed", "red"))
    lines += map(Line, links_for_sweep(folder))
    run_id = run_id_of(folder)
    recorded = f", MLflow run {run_id}" if run_id else ""
    lines.append(Line(f"Everything about this sweep: {os.path.relpath(folder)}{recorded}"))
    for line in lines:
        console.print(line.text, style=line.style)
