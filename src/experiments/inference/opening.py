"""Opens the models that a person names, from a command line; it needs no torch before."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.inference.members import members_of

if TYPE_CHECKING:
    from experiments.inference.trained import Trained


def open_models(reference: str, outputs: Path) -> list[Trained]:
    """Return the model of a run, or those of the runs of a sweep's best setting.

    The current folder becomes a place of modules, since a model's class may lie beside train.py.

    Args:
        reference: a run or a sweep, as `catalog.find.find` takes it.
        outputs: the folder of all runs.

    Raises:
        InputError: there is none, or a model cannot be loaded.
    """
    runs = members_of(reference, outputs)
    from experiments.run.load_torch import load_torch

    load_torch()
    from experiments.inference.ensemble import load_members

    sys.path.insert(0, str(Path.cwd()))
    return load_members([run.folder for run in runs])
