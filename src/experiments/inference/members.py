"""The runs that answer together: one, or those of a sweep's best setting, one for each seed."""

from __future__ import annotations

from pathlib import Path

from experiments import journal
from experiments.catalog.find import find
from experiments.catalog.groups import grouped
from experiments.catalog.job_tables import place_of, rows_of
from experiments.catalog.summary import Summary, summary_of
from experiments.errors import InputError


def members_of(reference: str, outputs: Path) -> list[Summary]:
    """Return the run that a reference names, or the runs of the best setting of a sweep.

    Args:
        reference: a run or a sweep, as `catalog.find.find` takes it.
        outputs: the folder of all runs.

    Raises:
        InputError: there is none, or no job of the sweep is finished.
    """
    found = find(reference, outputs)
    if not found.is_sweep:
        check_finished(found)
        return [found]
    jobs = _jobs_of(found.folder)
    if not any(run.state == "finished" for run in jobs):
        raise InputError(
            f"{reference}: none of the sweep's {len(jobs)} jobs is finished; the sweep's command "
            "trains the others"
        )
    for group in grouped(jobs).groups:  # a setting with a diverged run comes last
        finished = [run for run in group.runs.values() if run.state == "finished"]
        if finished:
            return finished
    raise AssertionError  # a finished run is in a group


def check_finished(run: Summary) -> None:
    """Check that a run has a model.

    Raises:
        InputError: it is not finished.
    """
    if run.state != "finished":
        advice = "the same command resumes it; " if run.state == "dead" else ""
        raise InputError(
            f"{run.short}: is {run.state}, and only a finished run has a model; {advice}"
            "`experiments ls finished` lists these"
        )


def _jobs_of(sweep: Path) -> list[Summary]:
    """Return the jobs that have begun: those in the folder, and earlier runs that it has reused."""
    reused = (place_of(row["folder"], sweep) for row in rows_of(sweep))
    places = {place.resolve() for place in (*reused, *journal.folders(sweep)) if place.is_dir()}
    found = (summary_of(place) for place in sorted(places - {sweep.resolve()}))
    return [run for run in found if run is not None and not run.is_sweep]
