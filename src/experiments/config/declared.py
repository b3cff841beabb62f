"""The declaration of each key of a configuration, found by the path that leads to the key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from experiments.config.part import Choice
from experiments.config.run import RunConfig


def declared(path: Sequence[int | str], values: Mapping[str, Any]) -> type[BaseModel] | None:
    """Return the model that declares the keys under a path; None if no model does.

    Args:
        path: the keys and the indices of lists.
        values: the whole configuration, whose `_target_`s choose the models of parts.
    """
    hint: Any = RunConfig
    value: Any = values
    for step in path:
        hint, value = _below(hint, step), _entry(value, step)
        chosen = _choice(hint)
        if chosen is not None:
            hint = chosen.schema_of(_entry(value, "_target_"))
    return hint if isinstance(hint, type) and issubclass(hint, BaseModel) else None


def fields_of(schema: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return the fields of a model by the names that a configuration gives them."""
    return {field.alias or name: field for name, field in schema.model_fields.items()}


def _below(hint: Any, step: int | str) -> Any:
    """Return the annotation of an entry of something annotated with `hint`, or None."""
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        field = fields_of(hint).get(str(step))
        if field is None:
            return None
        choices = [note for note in field.metadata if isinstance(note, Choice)]
        return Annotated[field.annotation, choices[0]] if choices else field.annotation
    return get_args(hint)[-1] if get_origin(hint) in (list, dict) else None


def _choice(hint: Any) -> Choice | None:
    notes = getattr(hint, "__metadata__", ())
    return next((note for note in notes if isinstance(note, Choice)), None)


def _entry(value: Any, step: int | str) -> Any:
    if isinstance(value, Mapping):
        return value.get(step)
    is_there = isinstance(value, list) and isinstance(step, int) and step < len(value)
    return value[step] if is_there else None
