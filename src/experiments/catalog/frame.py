"""All runs as a pandas dataframe, for notebooks and scripts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from experiments.catalog.listing import listing
from experiments.catalog.order import ordered
from experiments.catalog.rows import FACTS, as_row

if TYPE_CHECKING:
    import pandas as pd


def runs(*filters: str, outputs: str | Path = "outputs") -> pd.DataFrame:
    """Return the runs as a dataframe, one row for each, the newest first.

    The columns are facts (`id`, `name`, `state`, `experiment`, `begun`, `seconds`, `folder`,
    `sweep`, `mlflow_id`, and its `objective` with `objective_direction` and `objective_value`),
    parameters by their keys (`optimizer.lr`), and the last value of each metric (`test_accuracy`).
    A run without a key has a missing value there.

    >>> import experiments
    >>> found = experiments.runs("finished", "model=simplenet")
    >>> found.groupby("optimizer.lr")["test_accuracy"].agg(["mean", "std", "count"])

    Args:
        filters: states and conditions, as `experiments ls` takes them; all of them hold.
        outputs: the folder of all runs.

    Raises:
        InputError: a filter is a mistake, or the folder cannot be read.
    """
    import pandas as pd

    known = listing(Path(outputs))
    found = ordered(known.runs, filters, known.sweeps)
    rows = [as_row(run) for run in found]
    return pd.DataFrame(rows, columns=None if rows else FACTS)
