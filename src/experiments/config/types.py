"""Types for the fields of the configuration: numbers with ranges, and the strict model."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[Finite, Field(gt=0)]
NonNegative = Annotated[Finite, Field(ge=0)]
Fraction = Annotated[Finite, Field(ge=0, lt=1)]
Count = Annotated[int, Field(ge=1)]


class Strict(BaseModel):
    """A frozen model without unknown keys and without conversions between types.

    The docstring under a field is its description, and its `examples` are values for an override.
    A message about a bad value quotes both.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        use_attribute_docstrings=True,
    )
