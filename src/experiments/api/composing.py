"""`compose`: the checked configuration of a run, without training it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.api.entry_point import from_python
from experiments.api.project import checked_overrides, composed, find_conf, hydra_in
from experiments.composition.hydra_config import check_hydra, checked

if TYPE_CHECKING:
    from experiments.config import RunConfig


@from_python
def compose(overrides: Sequence[str] = (), *, config_dir: str | Path | None = None) -> RunConfig:
    """Return the configuration that `python train.py` would train, composed and checked.

    >>> from experiments import compose
    >>> compose(["optimizer=adamw"]).optimizer.lr
    0.001

    Args:
        overrides: those of the command line, such as `["optimizer.lr=0.1", "seed=1"]`.
        config_dir: the folder conf of the project; None looks for the one beside a train.py, in
            the current folder and above it.

    Raises:
        InputError: an override, a value or a folder is a mistake; its text is one line.
    """
    given = checked_overrides(overrides)
    with hydra_in(find_conf(config_dir)) as hydra:
        config = composed(hydra, given)
        check_hydra(config)
        return checked(config)
