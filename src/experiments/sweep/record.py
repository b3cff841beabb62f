"""The record of a sweep: a journal in its folder, and in MLflow the parent of its jobs' runs."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from experiments import journal
from experiments.composition.run_names import is_noise, key_of, run_name, value_of
from experiments.config import RunConfig
from experiments.errors import RunError
from experiments.files.safe_writes import write_all
from experiments.journal import Journal
from experiments.provenance.origin import commit_of_command, note_commit, tags
from experiments.redaction.hide import hidden
from experiments.registry.objective import Objective, most_frequent
from experiments.sweep.failures import command, reasons
from experiments.sweep.folders import JOBS, VERDICT
from experiments.sweep.jobs import Plan
from experiments.sweep.report import JobResult, as_csv
from experiments.sweep.verdict import Verdict, counts
from experiments.sweep.verdict_text import as_lines, as_markdown
from experiments.tracking import Recorder, given, recording
from experiments.tracking.tag_names import NAME, NOTE

_log = logging.getLogger(__name__)
_OF_THE_BEST = ("sweep.best_setting", "sweep.best_run_id")
_BEST_MEASURED = ("best_mean", "best_n", "best_std")


@contextmanager
def parent_run(opened: Journal, plan: Plan, arguments: Sequence[str]) -> Iterator[Recorder]:
    """Record a sweep in its journal and in MLflow, with the right status if it fails or stops.

    Args:
        opened: the sweep's journal.
        plan: its jobs.
        arguments: the overrides of its command.
    """
    settings = plan.jobs[0].config
    varied = plan.varied_keys
    objective = most_frequent(job.ranked_by for job in plan.jobs)
    own = given_to_sweep(settings)
    source = commit_of_command(None)
    if source is not None and source.problem is not None:
        _log.warning("Without the whole state of the source: %s", source.problem)
    note_commit(source, opened.folder)
    with recording(
        journal=opened,
        past=journal.history(opened.folder),
        uri=settings.tracking.uri,
        identity=plan.identity,
        experiment=settings.tracking.experiment,
        name=own.get(NAME) or f"sweep: {run_name(arguments, varied)}",
        params={key_of(text): value_of(text) for text in arguments if not is_noise(text)},
        tags=tags(source) | objective.tags,
        given=own,
        dataset=None,
        view={
            "metrics": _metrics(objective, [job.config for job in plan.jobs]),
            "params": [key for key in varied if not is_noise(key)],
        },
    ) as recorder:
        recorder.tags({"sweep.command": command("-m", *arguments), "sweep.plan": str(plan)})
        yield recorder


def given_to_sweep(settings: RunConfig) -> dict[str, str]:
    """Return the name, tags and note that the settings of a sweep give its own run, as tags."""
    return given(settings.tracking, f"sweep: {settings.tracking.run_name}")


def _metrics(objective: Objective, configs: Sequence[RunConfig]) -> list[str]:
    """Return the metrics that compare jobs, first the one that ranks them."""
    names = list(dict.fromkeys([objective.name, *(n for each in configs for n in each.task.names)]))
    if not any(config.data.validation_size for config in configs):
        return [f"test_{name}" for name in names]
    best, _, test = objective.keys
    is_best = all(each.trainer.save_best for each in configs)
    return [*([best] if is_best else []), *(f"val_{name}" for name in names), test]


def record_end(
    recorder: Recorder, results: Sequence[JobResult], verdict: Verdict, sweep: Path
) -> None:
    """Record a sweep's counts, its best setting, its verdict, `jobs.csv` and `verdict.txt`.

    Raises:
        RunError: jobs have not finished.
    """
    past = journal.history(sweep)
    count = counts(results)
    told = {f"sweep.{key.removeprefix('jobs_')}": str(count[key]) for key in count}
    measured: dict[str, float] = dict(count)
    # A turn before this one may have had a best setting.
    told |= {key: "" for key in _OF_THE_BEST if key in past.tags}
    measured |= {key: math.nan for key in _BEST_MEASURED if key in past.metrics}
    best, run = verdict.ranking.best, verdict.ranking.representative
    if best is not None:
        told["sweep.best_setting"] = best.name
        measured |= {"best_mean": best.mean, "best_n": len(best.numbers)}
        if len(best.numbers) > 1:
            measured["best_std"] = best.deviation
    if run is not None and run.run_id:
        told["sweep.best_run_id"] = run.run_id
    told[NOTE] = as_markdown(verdict, count, past.tags["sweep.command"], reasons(results))
    lines = hidden("".join(f"{line.text}\n" for line in as_lines(verdict)))
    files = {JOBS: as_csv(results, sweep), VERDICT: lines}
    write_all(sweep, {name: text.encode(errors="backslashreplace") for name, text in files.items()})
    # A sweep that is run again has the values of its last turn at the steps before.
    recorder.metrics(measured, 1 + max((step for _, step in past.points), default=-1))
    recorder.tags(told)
    recorder.artifacts(*files)
    failed = count["jobs_failed"]
    if failed:
        raise RunError(
            f"{failed} of {len(results)} jobs have not finished; the same command tries them again"
        )
