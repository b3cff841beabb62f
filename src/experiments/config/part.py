"""A part of a run, built from the class that its `_target_` names.

The parts that ship with the project are declared beside this file, so that they are checked without
importing torch. The arguments of a user's own class are checked against its signature when it is
resolved.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Union

from pydantic import ConfigDict, Discriminator, Field, GetCoreSchemaHandler, Tag
from pydantic_core import CoreSchema

from experiments.config.types import Strict


class Part(Strict):
    """Something built from a class: `_target_` names it, the other keys are its arguments."""

    CLASS: ClassVar[str] = ""  # the class whose arguments a subclass declares
    OWN_KEYS: ClassVar[frozenset[str]] = frozenset()  # keys that are no arguments of the class

    target: str = Field(alias="_target_", examples=["my_models.MyNet"])
    """the class, as package.module.Class"""

    def arguments(self) -> dict[str, Any]:
        """Return the keyword arguments for the class."""
        return self.model_dump(exclude={"target", *self.OWN_KEYS})


class Own(Part):
    """A class of the user's: its arguments are checked when it is resolved."""

    model_config = ConfigDict(extra="allow")


class Choice:
    """Field annotation: a part is validated as the one of `known` that its `_target_` names."""

    def __init__(self, *known: type[Part], own: type[Part]) -> None:
        self._known = {part.CLASS: part for part in known}
        self._own = own

    def schema_of(self, target: object) -> type[Part]:
        """Return the declaration for a `_target_`; that of the user's own classes where unknown."""
        return self._known.get(target, self._own) if isinstance(target, str) else self._own

    def _tag(self, part: Any) -> str:
        target = part.get("_target_") if isinstance(part, Mapping) else part.target
        return self.schema_of(target).__name__

    def __get_pydantic_core_schema__(
        self, _source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        parts = (*self._known.values(), self._own)
        members = tuple(Annotated[part, Tag(part.__name__)] for part in parts)
        union = Annotated[Union[members], Discriminator(self._tag)]  # type: ignore[valid-type]  # noqa: UP007  (made at run time)
        return handler(union)
