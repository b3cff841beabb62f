"""A part of a run's configuration, built from the class that its `_target_` names.

The parts that ship with the project are declared in the files beside this one, so that they are
checked without importing torch. The arguments of a user's own class are checked against its
signature when the class is built.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Union

from pydantic import ConfigDict, Discriminator, Field, GetCoreSchemaHandler, Tag
from pydantic_core import CoreSchema

from experiments.config.types import Strict


class Part(Strict):
    """A part: `_target_` names its class, and the other keys are the arguments of the class."""

    CLASS: ClassVar[str] = ""  # the class whose arguments a subclass declares
    OWN_KEYS: ClassVar[frozenset[str]] = frozenset()  # keys that are not arguments of the class

    target: str = Field(alias="_target_", examples=["my_models.MyNet"])
    """the class, as package.module.Class"""

    def arguments(self) -> dict[str, Any]:
        """Return the keyword arguments for the class."""
        return self.model_dump(exclude={"target", *self.OWN_KEYS})


class Own(Part):
    """A part with a class of the user's; its arguments are checked when it is built."""

    model_config = ConfigDict(extra="allow")


class Choice:
    """Field annotation: a part is validated by the declaration in `known` of its `_target_`."""

    def __init__(self, *known: type[Part], own: type[Part]) -> None:
        self._known = {part.CLASS: part for part in known}
        self._own = own

    def schema_of(self, target: object) -> type[Part]:
        """Return the declaration for a `_target_`; for an unknown one, the declaration `own`."""
        return self._known.get(target, self._own) if isinstance(target, str) else self._own

    def _tag(self, part: Any) -> str:
        target = (
            part.get("_target_") if isinstance(part, Mapping) else getattr(part, "target", None)
        )
        return self.schema_of(target).__name__

    def __get_pydantic_core_schema__(
        self, _source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        parts = (*self._known.values(), self._own)
        members = tuple(Annotated[part, Tag(part.__name__)] for part in parts)
        union = Annotated[Union[members], Discriminator(self._tag)]  # type: ignore[valid-type]  # noqa: UP007  (made at run time)
        return handler(union)
