"""A lane trained again: beside a twin, since a lane's last bits are not those of a run alone.

A lane's bits depend neither on the number nor the order of its neighbours, from one neighbour on
(docs/decisions/0009-lanes.md). The twin is the same run with `stop_on_divergence` turned round: it
computes the same numbers, and so lasts as long. But a lane that outlasted its neighbours was
trained alone from then on. So its twin ends with the last neighbour.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from experiments import journal
from experiments.catalog.summary import Summary, summary_of
from experiments.composition.run_names import key_of
from experiments.differences.record import Record
from experiments.errors import InputError
from experiments.reproducing.arguments import Arguments, written

_LAST, _TWIN = "trainer.epochs", "trainer.stop_on_divergence"


def is_lane(record: Record) -> bool:
    """Return whether a run was trained as a lane, with a neighbour."""
    return record.tags.get("lanes", "1") != "1"


def placed_beside_twin(
    record: Record, arguments: Arguments, outputs: Path, sweep: Path
) -> list[str]:
    """Return the arguments that train a run as the first of two lanes.

    Args:
        record: the run.
        arguments: its arguments alone.
        outputs: the folder of all runs.
        sweep: the folder of the sweep.
    """
    epochs, stops = arguments.values[_LAST], arguments.values[_TWIN]
    until = max((_epochs(each) for each in _neighbours(record.summary)), default=epochs)
    key, values = (_TWIN, (stops, not stops)) if until >= epochs else (_LAST, (epochs, until))
    placed = arguments.placed(outputs, sweep, "hydra.sweep.dir")
    return [
        *("-m", "hydra/launcher=vectorized", "hydra.launcher.lanes=2"),
        *(text for text in placed if key_of(text) != key),
        f"{key}={','.join(map(written, values))}",
    ]


def first_job(sweep: Path) -> Path | None:
    """Return the folder of the first job of a sweep; None if none has begun."""
    return next((each.folder for each in _runs_below(sweep)), None)


def _neighbours(run: Summary) -> Iterator[Summary]:
    """Yield the other lanes of a run's sweep that have trained."""
    for each in _runs_below(run.folder.parent):
        is_other = each.id != run.id and "lanes" in each.tags
        if is_other and set(each.sweeps) & set(run.sweeps) and _epochs(each):
            yield each


def _runs_below(folder: Path) -> Iterator[Summary]:
    closed: list[OSError] = []  # a closed folder and a damaged journal tell nothing of their run
    for below in journal.folders(folder, closed.append):
        try:
            found = summary_of(below)
        except InputError:
            continue
        if found is not None and not found.is_sweep:
            yield found


def _epochs(run: Summary) -> int:
    points = journal.history(run.folder).points
    return max((step for key, step in points if key == "train_loss"), default=0)
