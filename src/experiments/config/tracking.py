"""The place in MLflow that the runs are recorded in, and the record beside their reports."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field, model_validator

from experiments.config.types import Strict


class Tracking(Strict):
    """The record of the runs in MLflow; it changes no result."""

    uri: Annotated[str, Field(min_length=1)] | None = Field(examples=["sqlite:///mlflow.db"])
    """the tracking address of MLflow; null sends nothing"""
    experiment: str = Field(min_length=1, examples=["mnist"])
    """the name of the MLflow experiment"""
    log_model: bool = Field(examples=["true"])
    """whether MLflow gets the model of a run, and of the best run of a sweep"""
    registry_name: str | None = Field(alias="register", examples=["digits"])
    """the name in MLflow's model registry under which that model gets a version; null for none"""
    system_metrics: bool = Field(examples=["true"])
    """whether MLflow gets the load of the processor, memory, disk, network and GPU"""

    @model_validator(mode="after")
    def _can_register(self) -> Tracking:
        if self.registry_name is None:
            return self
        if not re.fullmatch(r"[^/:@]*[^/:@\s][^/:@]*", self.registry_name):
            raise ValueError(
                f"tracking.register={self.registry_name}: a name in the registry holds a letter "
                "or digit, and no /, : or @; for example tracking.register=digits"
            )
        if self.uri is None or not self.log_model:
            lacking = "uri" if self.uri is None else "log_model"
            raise ValueError(
                f"tracking.register={self.registry_name}: registers the model that MLflow has, and "
                f"tracking.{lacking} keeps it from MLflow; set tracking.{lacking}, or leave "
                "tracking.register=null"
            )
        return self
