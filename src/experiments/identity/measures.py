"""Measures: the metrics of a run, which can be computed again from its kept weights.

A metric that nothing looks at during the training changes no weight. So it is no ingredient of the
identity, and a finished run that lacks it is measured again instead of trained again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from experiments.identity.canonical import plain, sha256_of_data
from experiments.identity.sources import sources_of

if TYPE_CHECKING:
    from experiments.config import RunConfig

_TORCHS = "torch.optim.lr_scheduler."
_PLATEAU = "ReduceLROnPlateau"


def steer(config: RunConfig) -> bool:
    """Return whether metrics may steer a run: its schedule, its callbacks, its best or last epoch.

    A schedule of the user's own may be one that looks at metrics.
    """
    trainer, schedule = config.trainer, config.schedule.target
    is_deaf = schedule.startswith(_TORCHS) and _PLATEAU not in str(config.schedule.model_dump())
    return bool(trainer.patience or trainer.save_best or config.callbacks) or not is_deaf


def measures_of(config: RunConfig) -> dict[str, str]:
    """Return the SHA-256 of each metric's arguments and source, by name.

    Raises:
        InputError: the source of a metric cannot be found.
    """
    found = {}
    for name, metric in config.task.metrics.items():
        told: dict[str, Any] = plain(metric.model_dump(exclude={"direction"}))
        found[name] = sha256_of_data({"metric": told, "source": sources_of(metric.target)})
    return found
