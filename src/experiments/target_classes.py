"""`_target_`: import a class that a configuration names, and check it before it is called."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from experiments.errors import InputError, did_you_mean, misfit, text_of
from experiments.process.signals import Interrupted
from experiments.randomness import derive, seed_all

T = TypeVar("T")
_USUAL = (ArithmeticError, ImportError, RuntimeError, SyntaxError, TypeError, ValueError)
"""errors with texts that are clear without the name of their class"""


def resolve(key: str, target: str, *bases: type[T]) -> type[T]:
    """Return the class that `key._target_` names.

    Only a subclass of one of `bases` is ever returned. A function such as `os.system` is refused
    under any alias, without a call.

    Raises:
        InputError: there is no such class, or it is not a subclass of any of `bases`.
    """
    said = f"{key}._target_={target}"
    kind = " or ".join(f"{base.__module__}.{base.__qualname__}" for base in bases)
    module_name, _, name = target.rpartition(".")
    if not all(target.split(".")) or not module_name:
        raise InputError(f"{said}: is not a full name; write package.module.Class, a {kind}")
    seed_all(derive(0, "import"))  # a process imports a module once, for runs of all seeds
    with explained(
        f"{said}: to import {module_name}", "is its module installed, or beside train.py?"
    ):
        module = importlib.import_module(module_name)
        found = getattr(module, name, None)
        is_known = _is_a(found, bases)
        classes = [entry for entry, value in vars(module).items() if _is_a(value, bases)]
    if found is None:
        raise InputError(f"{said}: {module_name} has no {name}; {did_you_mean(name, classes)}")
    if not is_known:
        raise InputError(f"{said}: is not allowed; only a subclass of {kind} may be named here")
    return found  # type: ignore[no-any-return]


def build(key: str, cls: type[T], given: Mapping[str, Any], arguments: Mapping[str, Any]) -> T:
    """Return `cls(**given, **arguments)`, after a check of the arguments against the signature.

    Args:
        key: the name of the part of the configuration that holds `arguments`.
        cls: a class from `resolve`.
        given: arguments that the program supplies, such as the parameters to optimise.
        arguments: arguments from the configuration, as plain data.

    Raises:
        InputError: an argument is unknown, missing, nests a `_target_`, or the class refuses it.
    """
    for name, value in arguments.items():
        if _nests_target(value):
            raise InputError(f"{key}.{name}: nothing below a part may name a _target_; remove it")
    parameters = _parameters(cls)
    if not any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
        known = [name for name in parameters if name not in given]
        unknown = [name for name in arguments if name not in known]
        if unknown:
            raise InputError(misfit(key, cls.__name__, unknown, known))
    with explained(f"{key}: {cls.__name__} refuses its arguments", "mend them, or the class"):
        made = cls(**given, **arguments)
    if not isinstance(made, cls):
        raise InputError(f"{key}: {cls.__name__} makes a {type(made).__name__}; mend the class")
    return made


def accepts(cls: type, argument: str) -> bool:
    """Return whether the class's constructor has a parameter of that name.

    Raises:
        InputError: the class has no readable signature.
    """
    return argument in _parameters(cls)


@contextmanager
def explained(said: str, advice: str) -> Iterator[None]:
    """Run user code and turn any exception, also that of `sys.exit`, into a one-line error.

    Args:
        said: the beginning of the line: the action, with key and value.
        advice: the end of the line: advice to the user.

    Raises:
        InputError: the code raised an exception.
    """
    try:
        yield
    except (KeyboardInterrupt, Interrupted, InputError):
        raise
    except BaseException as error:
        usual = isinstance(error, _USUAL) and error.args
        kind = "" if usual else f"{type(error).__name__}: "
        raise InputError(
            f"{said}: {kind}{text_of(error)}; {advice} (HYDRA_FULL_ERROR=1 shows where)"
        ) from error


def _parameters(cls: type) -> Mapping[str, inspect.Parameter]:
    said = f"_target_={cls.__module__}.{cls.__qualname__}: the names of its arguments"
    with explained(said, "give its __init__ a signature"):
        return inspect.signature(cls).parameters


def _is_a(value: object, bases: tuple[type, ...]) -> bool:
    return isinstance(value, type) and issubclass(value, bases)


def _nests_target(value: object) -> bool:
    if isinstance(value, Mapping):
        return "_target_" in value or any(_nests_target(entry) for entry in value.values())
    return isinstance(value, list) and any(_nests_target(entry) for entry in value)
