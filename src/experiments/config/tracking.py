"""The place in MLflow that the runs are recorded in."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from experiments.config.types import Strict


class Tracking(Strict):
    """The place of the runs in MLflow."""

    uri: Annotated[str, Field(min_length=1)] | None = Field(examples=["sqlite:///mlflow.db"])
    """the tracking address of MLflow; null sends nothing"""
    experiment: str = Field(min_length=1, examples=["mnist"])
    """the name of the MLflow experiment"""
