"""A part of a run's configuration, built from the class that its `_target_` names.

The classes that conf/ names are declared in the files beside this one, with all arguments that
they have, so that they are checked without importing torch. The arguments of all other classes are
checked against their signatures when they are built.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from pydantic import ConfigDict, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from experiments.config.types import Strict


class Part(Strict):
    """A part: `_target_` names its class, and the other keys are the arguments of the class."""

    model_config = ConfigDict(defer_build=True)  # a run uses few of the declarations

    CLASS: ClassVar[str] = ""  # the class whose arguments a subclass declares
    OWN_KEYS: ClassVar[frozenset[str]] = frozenset()  # keys that are not arguments of the class

    target: str = Field(alias="_target_", examples=["my_models.MyNet"])
    """the class, as package.module.Class"""

    def arguments(self) -> dict[str, Any]:
        """Return the keyword arguments for the class."""
        return self.model_dump(exclude={"target", *self.OWN_KEYS})


def optional(default: Any, *, examples: list[Any]) -> Any:
    """Declare an argument that is recorded only if it differs from the default of its class.

    So a run in which it is left out has the identity of one in which the default is written.
    """
    return Field(default=default, examples=examples, exclude_if=lambda value: value == default)


class Own(Part):
    """A part with a class of the user's; its arguments are checked when it is built."""

    model_config = ConfigDict(extra="allow")


class Choice:
    """Annotation: a part is validated by the declaration in `known` of its `_target_`."""

    def __init__(self, *known: type[Part], own: type[Part]) -> None:
        self._known = {part.CLASS: part for part in known}
        self._own = own

    @property
    def targets(self) -> Collection[str]:
        """The classes that are declared."""
        return self._known.keys()

    def schema_of(self, target: object) -> type[Part]:
        """Return the declaration for a `_target_`; for an unknown one, the declaration `own`."""
        return self._known.get(target, self._own) if isinstance(target, str) else self._own

    def _validated(self, part: Any) -> Part:
        if isinstance(part, Part):
            return part
        target = part.get("_target_") if isinstance(part, Mapping) else None
        return self.schema_of(target).model_validate(part)

    def __get_pydantic_core_schema__(
        self, _source: Any, _handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        # A union would build the validators of all declarations at each start.
        return core_schema.no_info_plain_validator_function(self._validated)
