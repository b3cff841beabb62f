"""The learning rate of every parameter group, per epoch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from experiments.callbacks.callback import Callback, Training


class LearningRateMonitor(Callback):
    """Logs the learning rate of each parameter group at the first step of an epoch.

    `lr/group_0` is the rate of the first group; the metric `lr` of every run is the same number.
    """

    def __init__(self, *, momentum: bool = False) -> None:
        """Choose what is logged.

        Args:
            momentum: whether `momentum/group_0` is logged too: the momentum of SGD, or the first
                beta of Adam, which a schedule such as OneCycle changes.
        """
        self._momentum = momentum
        self._values: dict[str, float] = {}

    def on_before_step(self, training: Training) -> None:
        """Keep the values of the first step of an epoch."""
        if not self._values:
            self._values = self._current(training.optimizer.param_groups)

    def _current(self, groups: list[dict[str, Any]]) -> dict[str, float]:
        values = {f"lr/group_{number}": float(group["lr"]) for number, group in enumerate(groups)}
        if self._momentum:
            for number, group in enumerate(groups):
                found = group["betas"][0] if "betas" in group else group.get("momentum")
                if found is not None:
                    values[f"momentum/group_{number}"] = float(found)
        return values

    def on_epoch_end(self, training: Training, metrics: Mapping[str, float]) -> None:
        """Log the values."""
        training.log(self._values)
        self._values = {}

    def state_dict(self) -> dict[str, Any]:
        """Return the values of this epoch, once it has a step."""
        return dict(self._values)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the values of an epoch whose training began in another process."""
        self._values = dict(state)
