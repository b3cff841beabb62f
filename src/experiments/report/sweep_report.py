"""The report of a sweep."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from experiments import journal
from experiments.catalog.groups import Grouping, grouped
from experiments.catalog.judged import against_best, interval_of, mean_of, notes_of, statements
from experiments.catalog.summary import Summary
from experiments.catalog.texts import as_time
from experiments.errors import InputError
from experiments.report import sweep_charts as charts
from experiments.report.charts import Row, means_chart
from experiments.report.factors import factors_of, name_of
from experiments.report.job_tables import commands_of, failures_of, table_of, time_of
from experiments.report.page import render
from experiments.report.points import Curve, figures_of
from experiments.report.sweep_jobs import SweepJob, jobs_of
from experiments.report.theme import SERIES
from experiments.sweep.ranking import mean_and_deviation

if TYPE_CHECKING:
    import altair as alt

_MEANS = 20  # settings in the chart; the table has all
_EFFECTS = 6  # factors with a chart of their own

Charts = dict[str, "alt.TopLevelMixin"]


def sweep_report(sweep: Summary) -> str:
    """Return the page about a sweep, from its folder and the journals of its jobs.

    An interrupted sweep gets a report of its jobs up to now.

    Raises:
        InputError: a journal or `jobs.csv` cannot be read.
    """
    past = journal.history(sweep.folder)
    varied = tuple(past.start["view"]["params"])
    jobs = jobs_of(sweep, varied)
    runs = [job.run for job in jobs if job.run]
    of_runs = {job.run.id: job.curves for job in jobs if job.run}
    try:
        grouping = grouped(runs)
    except InputError:
        grouping = None  # no job has finished
    drawn: Charts = {}
    _seconds(jobs, drawn)
    return render(
        "sweep.html",
        drawn,
        title=sweep.name,
        place=os.path.relpath(sweep.folder),
        facts=list(_facts(sweep, runs)),
        state=_state(sweep, jobs),
        best=_best(grouping) if grouping else None,
        statements=list(statements(grouping)) if grouping else [],
        settings=_settings(grouping, drawn) if grouping else None,
        curves=_curves(grouping, of_runs, drawn) if grouping else [],
        legend=_legend(grouping) if grouping else [],
        factors=_factors(grouping, drawn) if grouping else None,
        jobs=table_of(jobs, varied),
        failures=failures_of(jobs),
        time=time_of(sweep, jobs),
        commands=commands_of(sweep, grouping, jobs),
    )


def _facts(sweep: Summary, runs: Sequence[Summary]) -> Iterator[str]:
    yield f"Begun {as_time(sweep.begun)} on {sweep.host}"
    if commit := sweep.tags.get("git_commit"):
        is_dirty = sweep.tags.get("git_dirty") == "true"
        yield f"commit {commit[:10]}{' with uncommitted changes' if is_dirty else ''}"
    data = sorted({run.params["data"] for run in runs if "data" in run.params})
    if data:
        yield f"data {', '.join(data)}"
    yield f"experiment {sweep.experiment}"


def _state(sweep: Summary, jobs: Sequence[SweepJob]) -> str:
    finished = sum(job.finished for job in jobs)
    diverged = sum(job.state == "diverged" for job in jobs)
    damaged = sum(job.is_damaged for job in jobs)
    left = len(jobs) - finished - damaged
    told = [f"{len(jobs)} jobs: {finished} finished"]
    told += [f"{diverged} of them diverged"] if diverged else []
    told += [f"{left} not finished"] if left else []
    told += [f"{damaged} damaged"] if damaged else []
    if sweep.status in {None, "KILLED"}:
        doing = "is still running" if sweep.state == "running" else "was interrupted"
        told.append(f"the sweep {doing}, and this report holds its jobs up to now")
    return ", ".join(told)


def _best(grouping: Grouping) -> dict[str, str] | None:
    if not grouping.compared:
        return None
    best, measure = grouping.compared[0], grouping.measure
    objective = next(iter(best.runs.values())).ranked_by
    on_test, key = objective.measure(validated=False), objective.keys[-1]
    tested = [run.metrics[key] for run in best.runs.values() if key in run.metrics]
    test = f"{on_test.figure(*mean_and_deviation(tested))} (n = {len(tested)})" if tested else ""
    return {
        "measure": measure.name,
        "name": name_of(best),
        "figure": f"{mean_of(grouping, best)} (n = {len(best.numbers)})",
        "test": f"its {on_test.name} is {test}" if test and measure != on_test else "",
    }


def _settings(grouping: Grouping, drawn: Charts) -> dict[str, Any]:
    measure, rows = grouping.measure, []
    unit = " %" if measure.is_share else ""
    for place, group in enumerate(grouping.groups):
        mean = mean_of(grouping, group)
        if not group.lacking:
            mean = measure.shown(group.mean).removesuffix(unit)
        spread = "" if group.lacking else measure.deviation(group.deviation)
        cells = [mean, spread, str(len(group.numbers)), interval_of(grouping, place)]
        told = ", ".join(filter(None, [against_best(grouping, place), *notes_of(group)]))
        colour = place if place < SERIES else None
        row = {"name": name_of(group), "cells": cells, "told": told, "colour": colour}
        rows.append(row)
    shown = charts.means(grouping, _MEANS)
    if len(shown) > 1:
        drawn["means"] = means_chart(shown, measure.name)
    left = len(grouping.groups) - len(shown)
    return {
        "metric": measure.name,
        "title": f"mean,{unit}" if unit else "mean",
        "rows": rows,
        "left": left,
        "shown": len(shown),
    }


def _curves(
    grouping: Grouping, of_runs: Mapping[str, Mapping[str, Curve]], drawn: Charts
) -> list[str]:
    found: list[str] = []
    objective = next(iter(grouping.groups[0].runs.values())).ranked_by.name
    metrics = {metric for curves in of_runs.values() for metric in curves} - {"lr"}
    for figure in figures_of(metrics, objective).values():  # a run's report has its learning rate
        for metric in sorted(figure, reverse=True):
            chart = charts.learning_curves(grouping.groups, of_runs, metric)
            if chart is not None:
                drawn[f"curve-{len(found)}"] = chart
                found.append(metric)
    return found


def _legend(grouping: Grouping) -> list[str]:
    return [name_of(group) for group in grouping.groups[:SERIES]]


def _factors(grouping: Grouping, drawn: Charts) -> dict[str, Any]:
    groups, measure = grouping.compared, grouping.measure
    factors = factors_of(groups)
    told: dict[str, Any] = {"effects": [], "more": 0, "measure": measure.name, "map": None}
    told["count"] = len(factors)
    for place, factor in enumerate(factors[:_EFFECTS]):
        drawn[f"effect-{place}"] = charts.effect(factor, groups, measure)
        share = "" if factor.share != factor.share else f"{100 * factor.share:.0f} %"
        told["effects"].append((factor.key, share if len(factors) > 1 else ""))
    told["more"] = len(factors) - len(told["effects"])
    if len(factors) > 1:
        one, other = factors[:2]
        drawn["heat-map"] = charts.heat_map(one, other, groups, measure)
        told["map"] = (one.key, other.key)
        drawn["parallel"] = charts.parallel_coordinates(factors, groups, measure)
    return told


def _seconds(jobs: Sequence[SweepJob], drawn: Charts) -> None:
    rows: list[Row] = [
        {
            "x": place if job.number is None else job.number,
            "y": job.run.seconds,
            "name": job.name,
        }
        for place, job in enumerate(jobs)
        if job.run and job.run.seconds
    ]
    if len(rows) > 1:
        drawn["seconds"] = charts.seconds_by_job(rows)
