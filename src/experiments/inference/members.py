"""The runs that answer together: one, or those of a sweep's best setting, one for each seed."""

from __future__ import annotations

from pathlib import Path

from experiments.catalog.find import find
from experiments.catalog.groups import grouped
from experiments.catalog.listing import listing
from experiments.catalog.summary import Summary
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
        return [found]
    jobs = [run for run in listing(outputs).runs if found.id in run.sweeps]
    finished = [run for run in jobs if run.state == "finished"]
    if not finished:
        raise InputError(
            f"{reference}: none of the sweep's {len(jobs)} jobs is finished; the sweep's command "
            "trains the others"
        )
    best, *_ = grouped(finished).groups
    return list(best.runs.values())
