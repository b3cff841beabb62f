"""Call a class or function with the arguments of a configuration, after a check of these."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Container, Iterable, Mapping
from pickle import UnpicklingError
from typing import Any, Literal, TypeVar, cast
from urllib.error import URLError

import torch
from torch import Tensor

from experiments.errors import InputError, misfit, text_of
from experiments.target_classes.finding import Function, explained

T = TypeVar("T")


def build(key: str, cls: type[T], given: Mapping[str, Any], arguments: Mapping[str, Any]) -> T:
    """Return `cls(**given, **arguments)`, after a check of the arguments against the signature.

    A list becomes a float tensor if the class annotates the argument as a tensor.

    Args:
        key: the name of the part of the configuration that holds `arguments`.
        cls: a class from `resolve`.
        given: arguments that the program supplies, such as the parameters to optimise.
        arguments: arguments from the configuration, as plain data.

    Raises:
        InputError: an argument is unknown, missing, nests a `_target_`, or the class refuses it.
    """
    return call(key, cls, given, arguments, kind=cls)


def call(
    key: str,
    maker: Callable[..., Any],
    given: Mapping[str, Any],
    arguments: Mapping[str, Any],
    *,
    kind: type[T],
) -> T:
    """Return `maker(**given, **arguments)`, as `build` does, if it is a `kind`.

    Raises:
        InputError: as `build`; or something else is made.
    """
    name = maker.__name__
    refuse_nested(key, arguments)
    if not takes_any(maker):
        known = [each for each in parameters_of(maker) if each not in given]
        _check_names(key, name, arguments, known)
    what = "class" if isinstance(maker, type) else "function"
    try:
        with explained(f"{key}: {name} refuses its arguments", f"mend them, or the {what}"):
            made = maker(**given, **with_tensors(maker, arguments))
    except InputError as error:
        if isinstance(error.__cause__, TypeError):
            _check_complete(key, name, parameters_of(maker).values(), {*given, *arguments})
        if isinstance(error.__cause__, UnpicklingError):
            raise InputError(
                f"{key}: {name} loads a pickled object, and a part may load only tensors while it "
                "is built; save a state_dict() and load that"
            ) from error
        if isinstance(error.__cause__, URLError):
            raise InputError(_unreachable(key, name, arguments, error.__cause__)) from error
        raise
    if not isinstance(made, kind):
        raise InputError(f"{key}: {name} makes a {type(made).__name__}; mend the {what}")
    return made


def build_function(
    key: str, function: Function, arguments: Mapping[str, Any], *, takes: int
) -> Function:
    """Return a function with its configured arguments, after a check against its signature.

    Args:
        key: the name of the part of the configuration that holds `arguments`.
        function: a function from `resolve_function`, `resolve_loss` or `resolve_metric`.
        arguments: arguments from the configuration, as plain data.
        takes: the number of positional arguments with which the result is called.

    Raises:
        InputError: an argument is unknown, missing or nests a `_target_`, or the function takes
            another number of positional arguments.
    """
    name = function.__name__
    refuse_nested(key, arguments)
    if inspect.isbuiltin(function):  # torch's have no signature; the first step tries the call
        return functools.partial(function, **arguments) if arguments else function
    signature = inspect.signature(function)
    if not takes_any(function):
        _check_names(key, name, arguments, list(signature.parameters)[takes:])
    rest = list(signature.parameters.values())[takes:]
    _check_complete(key, name, rest, arguments)
    try:
        signature.bind(*range(takes), **arguments)
    except TypeError as error:
        raise InputError(
            f"{key}: {name}{signature} is called with {takes} positional arguments and "
            f"{', '.join(arguments) or 'no other'}: {error}; mend the function, or its arguments"
        ) from error
    told = with_tensors(function, arguments)
    return functools.partial(function, **told) if told else function


def accepts(maker: Callable[..., Any], argument: str) -> bool:
    """Return whether a function, or the constructor of a class, has a parameter of that name.

    Raises:
        InputError: it has no readable signature.
    """
    return argument in parameters_of(maker)


def takes_any(maker: Callable[..., Any]) -> bool:
    """Return whether a function, or the constructor of a class, has a parameter `**`.

    Raises:
        InputError: it has no readable signature.
    """
    kinds = {parameter.kind for parameter in parameters_of(maker).values()}
    return inspect.Parameter.VAR_KEYWORD in kinds


def parameters_of(maker: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """Return the parameters of a function, or of the constructor of a class, by name.

    Raises:
        InputError: it has no readable signature.
    """
    said = f"_target_={maker.__module__}.{maker.__qualname__}: the names of its arguments"
    with explained(said, "give its __init__ a signature"):
        return inspect.signature(maker).parameters


def refuse_nested(key: str, arguments: Mapping[str, Any]) -> None:
    """Refuse arguments that nest a `_target_`, at any depth.

    Raises:
        InputError: one of them does.
    """
    for name, value in arguments.items():
        if _nests_target(value):
            raise InputError(f"{key}.{name}: nothing below a part may name a _target_; remove it")


def with_tensors(maker: Callable[..., Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments in which a list that should be a tensor is one, float32."""
    lists = [name for name, value in arguments.items() if isinstance(value, list)]
    hints = _hints(maker) if lists else {}
    tensors = {}
    for name in lists:
        hint = hints.get(name)
        if Tensor in (hint, *typing.get_args(hint)):
            tensors[name] = torch.tensor(arguments[name], dtype=torch.float32)
    return {**arguments, **tensors}


def _hints(maker: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(
            cast("Any", maker).__init__ if isinstance(maker, type) else maker
        )
    except NameError:  # names that are imported for type checking only
        return {}


def _check_names(key: str, name: str, arguments: Iterable[str], known: list[str]) -> None:
    unknown = [each for each in arguments if each not in known]
    if unknown:
        raise InputError(misfit(key, name, unknown, known))


def _check_complete(
    key: str, name: str, parameters: Iterable[inspect.Parameter], told: Container[str]
) -> None:
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    missing = [
        each
        for each in parameters
        if each.default is each.empty and each.kind not in several and each.name not in told
    ]
    if missing:
        overrides = " ".join(f"+{key}.{each.name}=…" for each in missing)
        names, is_one = ", ".join(f"{key}.{each.name}" for each in missing), len(missing) == 1
        hint = missing[0].annotation
        is_choice = is_one and typing.get_origin(hint) is Literal
        choices = typing.get_args(hint) if is_choice else ()
        allowed = f", one of {', '.join(map(str, choices))}" if choices else ""
        raise InputError(
            f"{names}: {'is' if is_one else 'are'} missing, and {name} needs "
            f"{'it' if is_one else 'them'}{allowed}; add to the command: {overrides}"
        )


def _unreachable(key: str, name: str, arguments: Mapping[str, Any], error: URLError) -> str:
    weights = arguments.get("weights")
    part = f"{key}.weights={weights}" if weights else key
    return (
        f"{part}: {name} cannot fetch its file ({text_of(error)}); connect this machine to the "
        f"network, or copy the file from another one into {torch.hub.get_dir()}/checkpoints"
    )


def _nests_target(value: object) -> bool:
    if isinstance(value, Mapping):
        return "_target_" in value or any(_nests_target(entry) for entry in value.values())
    return isinstance(value, list) and any(_nests_target(entry) for entry in value)
