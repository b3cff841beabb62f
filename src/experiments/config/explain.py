"""Check a configuration, and explain its first mistake in one line with advice."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from experiments.config.part import Choice, Part
from experiments.config.run import RunConfig
from experiments.errors import InputError, did_you_mean, misfit

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails


def check(
    values: Mapping[str, Any], written: Mapping[tuple[object, ...], str] | None = None
) -> RunConfig:
    """Return a checked configuration.

    Args:
        values: plain nested data.
        written: for each value from the environment, the keys that lead to it, and the
            interpolation that is recorded and shown in its place.

    Raises:
        InputError: a value is wrong; the line explains the first mistake and counts the others.
    """
    written = written or {}
    try:
        config = RunConfig.model_validate(values)
    except ValidationError as error:
        first, *others = error.errors(include_url=False)
        if misfits := _misfits([first, *others], values):
            raise InputError(misfits) from error
        more = f" ({len(others)} more after this one)" if others else ""
        raise InputError(_explain(first, values, written) + more) from error
    config._written = written
    return config


def _explain(
    error: ErrorDetails, values: Mapping[str, Any], written: Mapping[tuple[object, ...], str]
) -> str:
    message = error["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    if error["type"] == "value_error":  # our own message, which names its keys
        return message
    path = _without_tag(error["loc"])
    key = _dotted(path)
    if error["type"] == "extra_forbidden":
        parent, _, name = key.rpartition(".")
        prefix = f"{parent}." if parent else ""
        known = [f"{prefix}{field}" for field in _fields(_schema(path[:-1], values))]
        known += [
            f"{part}.{field}"
            for part in RunConfig.model_fields
            if isinstance(values.get(part), Mapping)
            for field in _fields(_schema((part,), values))
        ]
        return f"{key}: unknown key; {did_you_mean(f'{prefix}{name}', known)}"
    if error["type"] == "missing":
        return f"{key}: is missing; give it a value{_help(path, values)}"
    if error["type"] == "model_type":
        message = "it should be keys with values"
    message = re.sub(r"^\w+ should", "it should", message).replace(" after validation", "")
    shown = written[path] if path in written else _shown(error["input"])
    return f"{key}={shown}: {message}{_help(path, values)}"


def _misfits(errors: Sequence[ErrorDetails], values: Mapping[str, Any]) -> str | None:
    """Return a message if the first mistake is in a part with keys of another class, or None."""
    paths = [_without_tag(error["loc"]) if error["loc"] else () for error in errors]
    part = str(next(iter(paths[0]), ""))
    found: dict[str, list[str]] = {"extra_forbidden": [], "missing": []}
    for error, path in zip(errors, paths, strict=True):
        if len(path) == 2 and path[0] == part and error["type"] in found:
            found[error["type"]].append(str(path[1]))
    if part not in RunConfig.model_fields or not found["extra_forbidden"]:
        return None
    schema = _schema((part,), values)
    if not issubclass(schema, Part):
        return None
    fields = _fields(schema)
    added = [f"+{part}.{name}={(fields[name].examples or ['…'])[0]}" for name in found["missing"]]
    known = [name for name in fields if name != "_target_"]
    name = schema.CLASS.rpartition(".")[2]
    return misfit(part, name, found["extra_forbidden"], known, added)


def _without_tag(loc: tuple[int | str, ...]) -> tuple[int | str, ...]:
    # Under a part, pydantic puts the chosen declaration between the part's name and the key.
    field = RunConfig.model_fields.get(str(loc[0]))
    is_part = field is not None and any(isinstance(note, Choice) for note in field.metadata)
    return (loc[0], *loc[2:]) if is_part else loc


def _help(path: tuple[int | str, ...], values: Mapping[str, Any]) -> str:
    names = [step for step in path if isinstance(step, str)]
    field = _fields(_schema(tuple(names[:-1]), values)).get(names[-1])
    if field is None or not field.description:
        return ""
    example = next(iter(field.examples or ()), None)
    sample = f"; for example {_dotted(names)}={example}" if example is not None else ""
    return f" ({names[-1]}: {field.description}{sample})"


def _dotted(path: Sequence[int | str]) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return "".join(steps).removeprefix(".")


def _shown(value: Any) -> str:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value).replace("'", "")


def _fields(schema: type[BaseModel]) -> dict[str, FieldInfo]:
    return {field.alias or name: field for name, field in schema.model_fields.items()}


def _schema(path: tuple[int | str, ...], values: Mapping[str, Any]) -> type[BaseModel]:
    """Return the model that declares the keys under `path`."""
    if not path:
        return RunConfig
    field = RunConfig.model_fields[str(path[0])]
    for annotation in field.metadata:
        if isinstance(annotation, Choice):
            return annotation.schema_of(values[str(path[0])].get("_target_"))
    if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
        return field.annotation
    return RunConfig
