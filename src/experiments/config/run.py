"""The whole configuration of a run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field, PrivateAttr, model_validator

from experiments.config.callbacks import Callbacks
from experiments.config.data import Data
from experiments.config.model import SIZES, Model
from experiments.config.optimizer import Optimizer
from experiments.config.schedule import Plateau, Schedule
from experiments.config.sweep import Sweep
from experiments.config.task import TaskPart
from experiments.config.tracking import Tracking
from experiments.config.trainer import Trainer
from experiments.config.types import Strict
from experiments.redaction.secret_forms import HIDDEN, is_secret, without_secrets

WITHOUT_EFFECT = ("sweep", "tracking", "force", "outputs")
"""the keys and groups that change no result of a run"""


class RunConfig(Strict):
    """The configuration of a run, with one part per group of conf/."""

    _written: Mapping[tuple[object, ...], str] = PrivateAttr(default_factory=dict)

    data: Data
    model: Model
    task: TaskPart
    callbacks: Callbacks
    optimizer: Optimizer
    schedule: Schedule
    trainer: Trainer
    tracking: Tracking
    sweep: Sweep
    seed: int = Field(ge=0, lt=2**63, examples=[0])
    """the number from which initial weights, shuffles and the validation split derive"""
    force: bool = Field(examples=["true"])
    """whether to train again if the run is finished or can be resumed"""
    outputs: str = Field(min_length=1, examples=["outputs"])
    """the folder of all runs"""

    @model_validator(mode="after")
    def _monitors_something(self) -> RunConfig:
        monitors = [f"val_{name}" for name in self.task.names]
        if self.trainer.monitor not in monitors:
            raise ValueError(
                f"trainer.monitor={self.trainer.monitor}: is no metric of this task; choose from "
                f"{', '.join(monitors)}"
            )
        asked = {
            "trainer.patience": self.trainer.patience,
            "trainer.save_best": self.trainer.save_best,
            "schedule": "plateau" if isinstance(self.schedule, Plateau) else None,
        }
        for key, value in asked.items():
            if value and self.data.validation_size == 0:
                raise ValueError(
                    f"{key}={str(value).lower()}: looks at {self.trainer.monitor}, and "
                    "there is no validation split; set data.validation_size, for example to 5000"
                )
        return self

    def targets(self) -> dict[str, str]:
        """Return the `_target_` of each part and nested part, by the key of the part."""
        return dict(_targets(self.model_dump(), ""))

    def public(self) -> dict[str, Any]:
        """Return the configuration as plain data that may be recorded.

        A value from the environment is replaced by its interpolation, and a secret is hidden.
        """
        values: dict[str, Any] = self._public(self.model_dump(), ())
        return values

    def _public(self, value: Any, path: tuple[object, ...]) -> Any:
        if path in self._written:
            return without_secrets(self._written[path])
        if isinstance(value, dict):
            return {key: self._public(entry, (*path, key)) for key, entry in value.items()}
        if isinstance(value, list):
            return [self._public(entry, (*path, index)) for index, entry in enumerate(value)]
        if is_secret(path, value):
            return HIDDEN
        return without_secrets(value) if isinstance(value, str) else value

    def leaves(self) -> dict[str, str]:
        """Return the values that may change a result, as texts by dotted key; a list is one value.

        These are the parameters by which MLflow compares runs. A size of the data that is null is
        left out: the model does not take it.
        """
        values = self.public()
        for name in WITHOUT_EFFECT:
            del values[name]
        found: dict[str, str] = {}
        for key, value in _leaves(values, ""):
            if value == "null" and key.removeprefix("model.") in SIZES:
                continue
            own = key
            while own in found:  # {"a.b": 1, "a": {"b": 2}}
                own += "'"
            found[own] = value
        return found


def _targets(value: Any, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        if isinstance(value.get("_target_"), str):
            yield key, value["_target_"]
        for name, entry in value.items():
            yield from _targets(entry, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            yield from _targets(entry, f"{key}.{index}")


def _leaves(value: Any, key: str) -> list[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        prefix = f"{key}." if key else ""
        return [leaf for name in value for leaf in _leaves(value[name], f"{prefix}{name}")]
    return [(key, value if isinstance(value, str) else json.dumps(value))]
