"""The whole configuration of a run."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, field_validator, model_validator

from experiments.config.data import Data
from experiments.config.model import Model
from experiments.config.optimizer import Optimizer
from experiments.config.schedule import Schedule
from experiments.config.types import Count, NonNegative, Strict
from experiments.redaction.secret_forms import HIDDEN, is_secret, without_secrets


class Trainer(Strict):
    """The length of the training, its device and its checkpoints."""

    epochs: Count = Field(examples=[10])
    """the number of passes over the training set"""
    device: str = Field(examples=["cpu"])
    """the device to train on: auto, cpu, cuda, cuda:N or mps"""
    threads: Count = Field(le=1024, examples=[2])
    """the number of CPU threads that torch uses"""
    deterministic: bool = Field(examples=["true"])
    """whether operations without a repeatable kernel are refused"""
    limit_batches: Count | None = Field(examples=[5])
    """the largest number of batches in an epoch and in a test; null for all"""
    checkpoint_every: Count = Field(examples=[1])
    """the number of epochs from one checkpoint to the next"""
    stop_on_divergence: bool = Field(examples=["true"])
    """whether the run ends early when the loss or a weight is NaN or infinite"""
    monitor: Literal["val_loss", "val_accuracy"] = Field(examples=["val_loss"])
    """the validation metric that patience and save_best compare"""
    patience: Count | None = Field(examples=[5])
    """the number of epochs without improvement before the run stops; null for never"""
    min_delta: NonNegative = Field(examples=[0.001])
    """the change of the monitored metric that an improvement must exceed"""
    save_best: bool = Field(examples=["true"])
    """whether the weights of the best epoch are tested and kept, not those of the last"""

    @field_validator("device")
    @classmethod
    def _is_a_device(cls, device: str) -> str:
        if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", device):
            raise ValueError(f"trainer.device={device}: choose from auto, cpu, cuda, cuda:N or mps")
        return device


class Tracking(Strict):
    """The place of the runs in MLflow."""

    uri: Annotated[str, Field(min_length=1)] | None = Field(examples=["sqlite:///mlflow.db"])
    """the tracking address of MLflow; null sends nothing"""
    experiment: str = Field(min_length=1, examples=["mnist"])
    """the name of the MLflow experiment"""


class Sweep(Strict):
    """The settings of a sweep; they have no effect on a single run."""

    plan_only: bool = Field(examples=["true"])
    """whether to print the plan and train nothing"""
    fail_fast: bool = Field(examples=["true"])
    """whether no further job begins after a job has failed"""
    max_jobs: Count = Field(examples=[5000])
    """the largest number of jobs that a sweep may have"""


class RunConfig(Strict):
    """The configuration of a run, with one part per group of conf/."""

    _written: Mapping[tuple[object, ...], str] = PrivateAttr(default_factory=dict)

    data: Data
    model: Model
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
        asked = {"patience": self.trainer.patience, "save_best": self.trainer.save_best}
        for key, value in asked.items():
            if value and self.data.validation_size == 0:
                raise ValueError(
                    f"trainer.{key}={str(value).lower()}: looks at {self.trainer.monitor}, and "
                    "there is no validation split; set data.validation_size, for example to 5000"
                )
        return self

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
        """Return all values but those of `sweep`, as texts by dotted key; a list is one value."""
        values = self.public()
        del values["sweep"]
        found: dict[str, str] = {}
        for key, value in _leaves(values, ""):
            own = key
            while own in found:  # {"a.b": 1, "a": {"b": 2}}
                own += "'"
            found[own] = value
        return found


def _leaves(value: Any, key: str) -> list[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        prefix = f"{key}." if key else ""
        return [leaf for name in value for leaf in _leaves(value[name], f"{prefix}{name}")]
    return [(key, value if isinstance(value, str) else json.dumps(value))]
