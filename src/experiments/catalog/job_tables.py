"""The table of a sweep's jobs, `jobs.csv`, and the folders that it names."""

from __future__ import annotations

import csv
import os
from pathlib import Path

from experiments.errors import InputError
from experiments.sweep.folders import JOBS

_NEEDED = ("job", "state", "folder")


def rows_of(sweep: Path) -> list[dict[str, str]]:
    """Return the rows of a sweep's table; none before the sweep's end.

    Raises:
        InputError: the table is damaged.
    """
    path = sweep / JOBS
    if not path.exists():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        if any(not isinstance(row.get(key), str) for row in rows for key in _NEEDED):
            raise ValueError(f"a row lacks one of {', '.join(_NEEDED)}")  # noqa: TRY301
        for row in rows:
            int(row["job"])
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(
            f"{os.path.relpath(path)}: is damaged ({error}); restore it, or repeat the command of "
            "the sweep, which writes it anew"
        ) from error
    return rows


def place_of(noted: str, sweep: Path) -> Path:
    """Return the folder of a job.

    Args:
        noted: the folder as the table names it: as seen from the folder of the sweep's command.
        sweep: the sweep's folder.
    """
    for base in (Path(), *sweep.absolute().parents):
        if (base / noted).is_dir():
            return base / noted
    return sweep / Path(noted).name
