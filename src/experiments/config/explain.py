"""Check a configuration, and explain its first mistake in one line with advice."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from experiments.config.declared import declared, fields_of
from experiments.config.from_data import with_known_values
from experiments.config.part import Part
from experiments.config.run import RunConfig
from experiments.errors import InputError, did_you_mean, misfit

Path = tuple[int | str, ...]
_NO_MAPPING = frozenset({"model_type", "dict_type", "union_tag_not_found", "model_attributes_type"})
"""pydantic's errors about a value in the place of a part"""


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
        config = with_known_values(RunConfig.model_validate(values))
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
    path = error["loc"]
    key = _dotted(path)
    if error["type"] == "extra_forbidden":
        parent, _, name = key.rpartition(".")
        prefix = f"{parent}." if parent else ""
        known = [f"{prefix}{field}" for field in _names(path[:-1], values)]
        known += [
            f"{part}.{field}"
            for part in RunConfig.model_fields
            if isinstance(values.get(part), Mapping)
            for field in _names((part,), values)
        ]
        return f"{key}: unknown key; {did_you_mean(f'{prefix}{name}', known)}"
    if error["type"] == "missing":
        return f"{key}: is missing; give it a value{_help(path, values)}"
    if path[-1:] == ("[key]",):
        return (
            f"{_dotted(path[:-1])}: is no name; write letters, digits and _, and begin with a "
            "letter"
        )
    is_option = isinstance(error["input"], str) and not key.endswith("_target_")
    if error["type"] in _NO_MAPPING and is_option and path[:1] != ("sweep",):
        choice = _choice_of(path, error["input"])
        if declared(path, values) and choice != f"{key}={error['input']}":
            return f"{key}={error['input']}: names an option; write {choice}"
    if error["type"] in _NO_MAPPING:
        message = "it should be keys with values"
    message = re.sub(r"^\w+ should", "it should", message).replace(" after validation", "")
    shown = written[path] if path in written else _shown(error["input"])
    return f"{key}={shown}: {message}{_help(path, values)}"


def _choice_of(path: Path, option: str) -> str:
    """Return the override that chooses an option for the part at a path."""
    match path:
        case ("task", "metrics", name):
            return f"+task/metric@task.metrics.{name}={option}"
        case ("callbacks", *_):
            return f"callbacks={option}"
    return f"{'/'.join(map(str, path))}={option}"


def _misfits(errors: Sequence[ErrorDetails], values: Mapping[str, Any]) -> str | None:
    """Return a message if the first mistake is in a part with keys of another class, or None."""
    paths = [error["loc"] for error in errors]
    part = paths[0][:-1]
    found: dict[str, list[str]] = {"extra_forbidden": [], "missing": []}
    for error, path in zip(errors, paths, strict=True):
        if path and path[:-1] == part and error["type"] in found:
            found[error["type"]].append(str(path[-1]))
    schema = declared(part, values)
    if not found["extra_forbidden"] or schema is None or not issubclass(schema, Part):
        return None
    fields, key = fields_of(schema), _dotted(part)
    added = [f"+{key}.{name}={(fields[name].examples or ['…'])[0]}" for name in found["missing"]]
    known = [name for name in fields if name != "_target_"]
    name = schema.CLASS.rpartition(".")[2]
    return misfit(key, name, found["extra_forbidden"], known, added)


def _help(path: Path, values: Mapping[str, Any]) -> str:
    while path and isinstance(path[-1], int):
        path = path[:-1]
    schema = declared(path[:-1], values)
    field = fields_of(schema).get(str(path[-1])) if schema and path else None
    if field is None or not field.description:
        return ""
    example = next(iter(field.examples or ()), None)
    sample = f"; for example {_dotted(path)}={example}" if example is not None else ""
    return f" ({path[-1]}: {field.description}{sample})"


def _names(path: Path, values: Mapping[str, Any]) -> list[str]:
    schema: type[BaseModel] | None = declared(path, values)
    return list(fields_of(schema)) if schema is not None else []


def _dotted(path: Sequence[int | str]) -> str:
    return ".".join(map(str, path))  # Hydra refuses an override with [0] in its key


def _shown(value: Any) -> str:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value).replace("'", "")
