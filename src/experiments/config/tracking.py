"""The place in MLflow that the runs are recorded in, and the record beside their reports."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from experiments.config.types import Strict

RESERVED = re.compile(
    r"(?:mlflow\.|version\.|sweep\.|git_).*|copy_of|data_sha256|device|diverged|diverged_epoch"
    r"|failure|folder|host|identity|journal_id|lanes|mlflow_refused|model_problem|objective"
    r"|objective_direction|redefined|warning|weights_sha256",
    re.DOTALL,
)
"""the tags that MLflow and the program itself write"""
_KEY = re.compile(r"[\w. :/-]{1,250}")  # MLflow's rule
_LONGEST = 8000  # MLflow's limit for the value of a tag, in characters


def _check_name(name: str) -> str:
    if not name.strip():
        raise ValueError(
            f"tracking.run_name={name!r}: is blank; name the run, or leave tracking.run_name=null"
        )
    return name


def _check_tags(tags: object) -> object:
    for key, value in tags.items() if isinstance(tags, dict) else ():
        if not isinstance(value, str):
            raise ValueError(  # noqa: TRY004  (pydantic reports a ValueError)
                f"tracking.tags.{key}={value}: is no text; quote it for the shell and for Hydra: "
                f"'+tracking.tags.{key}=\"{value}\"'"
            )
        if RESERVED.fullmatch(key):
            raise ValueError(
                f"tracking.tags.{key}: is a tag that MLflow or this program writes; choose another "
                f"name, such as my_{key.removeprefix('mlflow.')}"
            )
        if not _KEY.fullmatch(key):
            raise ValueError(
                f"tracking.tags.{key}: is no name of a tag; MLflow takes 1 to 250 letters, digits, "
                "spaces and _-.:/"
            )
        if len(value) > _LONGEST:
            raise ValueError(
                f"tracking.tags.{key}: has {len(value):,} characters, and MLflow takes "
                f"{_LONGEST:,}; shorten it"
            )
    return tags


REGISTRY_NAME = r"(?!\.\.|\.$)[^/:@']*[^/:@'\s][^/:@']*"
"""the pattern of the names that MLflow's model registry takes, and its search too"""


class Tracking(Strict):
    """The record of the runs in MLflow; it changes no result."""

    uri: Annotated[str, Field(min_length=1)] | None = Field(examples=["sqlite:///mlflow.db"])
    """the tracking address of MLflow; null sends nothing"""
    experiment: str = Field(min_length=1, examples=["mnist"])
    """the name of the MLflow experiment"""
    run_name: Annotated[str, Field(max_length=200), AfterValidator(_check_name)] | None = Field(
        examples=["baseline"]
    )
    """the name of the run, to which a job adds its varied values; null for its overrides alone"""
    tags: Annotated[dict[str, str], BeforeValidator(_check_tags)] = Field(
        examples=["{ticket:'42'}"]
    )
    """texts by which MLflow finds the run"""
    note: Annotated[str, Field(max_length=_LONGEST // 2)] | None = Field(examples=["'a first try'"])
    """the description of the run, in Markdown"""
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
        if not re.fullmatch(REGISTRY_NAME, self.registry_name):
            raise ValueError(
                f"tracking.register={self.registry_name}: a name in the registry holds a letter "
                "or digit, none of / : @ ', and no .. at its beginning; for example "
                "tracking.register=digits"
            )
        if self.uri is None or not self.log_model:
            lacking = "uri" if self.uri is None else "log_model"
            raise ValueError(
                f"tracking.register={self.registry_name}: registers the model that MLflow has, and "
                f"tracking.{lacking} keeps it from MLflow; set tracking.{lacking}, or leave "
                "tracking.register=null"
            )
        return self
