"""Opens the models that a person names, from a command line; it needs no torch before."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.catalog.summary import Summary
from experiments.inference.members import check_finished, members_of

if TYPE_CHECKING:
    from experiments.inference.trained import Trained

_log = logging.getLogger(__name__)


def open_models(reference: str, outputs: Path) -> list[Trained]:
    """Return the model of a run, or those of the runs of a sweep's best setting.

    The current folder becomes a place of modules, since a model's class may lie beside train.py.

    Args:
        reference: a run or a sweep, as `catalog.find.find` takes it.
        outputs: the folder of all runs.

    Raises:
        InputError: there is none, or a model cannot be loaded.
    """
    members = _opened(members_of(reference, outputs))
    for member in members:
        if member.edited:
            _log.warning(
                "%s: %s has been edited since the training, so the model may answer otherwise; "
                "`experiments reproduce` restores the code",
                member.short,
                " and ".join(member.edited),
            )
    return members


def open_model(run: Summary) -> Trained:
    """Return the model of a run, as `open_models`.

    Raises:
        InputError: the run is not finished, or its model cannot be loaded.
    """
    check_finished(run)
    (opened,) = _opened([run])
    return opened


def _opened(runs: Sequence[Summary]) -> list[Trained]:
    from experiments.run.load_torch import load_torch

    load_torch()
    from experiments.inference.ensemble import load_members

    sys.path.insert(0, str(Path.cwd()))
    return load_members([run.folder for run in runs])
