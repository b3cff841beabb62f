"""Import the class or function that a `_target_` names, and refuse all other objects."""

from __future__ import annotations

import importlib
import inspect
import sys
import types
import typing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

from torch import Tensor, nn

from experiments.errors import InputError, did_you_mean, text_of
from experiments.files.owners import owner_of
from experiments.process.signals import Interrupted
from experiments.randomness import derive, seed_all

T = TypeVar("T")
Function = Callable[..., Any]
_USUAL = (ArithmeticError, ImportError, RuntimeError, SyntaxError, TypeError, ValueError)
"""errors with texts that are clear without the name of their class"""
_INSTALLS = {"timm": "install it with `pip install timm`"}
"""how to install the packages that are named by a `_target_` and not required"""
_MEASURES = ("update", "compute", "reset")  # the methods of a metric


def resolve(key: str, target: str, *bases: type[T]) -> type[T]:
    """Return the class that `key._target_` names.

    Only a subclass of one of `bases` is ever returned. A function such as `os.system` is refused
    under any alias, without a call.

    Raises:
        InputError: there is no such class, or it is not a subclass of any of `bases`.
    """
    kind = " or ".join(f"{base.__module__}.{base.__qualname__}" for base in bases)
    suits = partial(is_a, bases=bases)
    found: type[T] = find(key, target, f"a subclass of {kind}", suits, bases)
    return found


def resolve_function(key: str, target: str, returns: type) -> Function:
    """Return the function of the user's own that `key._target_` names.

    Args:
        key: the part of the configuration.
        target: the function, as `module.function`.
        returns: the class, or a base of it, that the function's return annotation must name.

    Raises:
        InputError: there is no such function, it is not written in Python in a module of the
            user's own, or its annotation is another.
    """
    kind = f"a function of your own that is annotated to return {_name(returns)}"
    found: Function = find(key, target, kind, lambda value: is_own_function(value, returns))
    return found


def find(
    key: str,
    target: str,
    kind: str,
    suits: Callable[[object], bool],
    bases: tuple[type, ...] = (nn.Module,),
) -> Any:
    """Return the object that `key._target_` names, if it suits.

    Args:
        key: the part of the configuration.
        target: the object, as `module.name`.
        kind: the objects that suit, in words.
        suits: whether an object may be named there; it is called for other objects of the module
            too, and calls none of them.
        bases: classes from which a class of the user's might be derived, to suit.

    Raises:
        InputError: there is no such object, or it does not suit.
    """
    said = f"{key}._target_={target}"
    module_name, _, name = target.rpartition(".")
    if not all(target.split(".")) or not module_name:
        raise InputError(f"{said}: is not a full name; write package.module.Name, {kind}")
    seed_all(derive(0, "import"))  # a process imports a module once, for runs of all seeds
    package = module_name.partition(".")[0]
    advice = _INSTALLS.get(package, "is its module installed, or beside train.py?")
    with explained(f"{said}: to import {module_name}", advice):
        module = importlib.import_module(module_name)
        found = getattr(module, name, None)
        is_known = suits(found)
        known = [] if is_known else [each for each, value in vars(module).items() if suits(value)]
    if found is None:
        raise InputError(f"{said}: {module_name} has no {name}; {did_you_mean(name, known)}")
    if not is_known:
        line = f"{said}: is not allowed; only {kind} may be named here"
        raise InputError("; ".join(filter(None, (line, _remedy(found, suits, bases)))))
    return found


def is_a(value: object, bases: tuple[type, ...]) -> bool:
    """Return whether a value is a subclass of any of `bases`, without a call of its methods."""
    return _is_class(value) and issubclass(value, bases)


def is_own_function(value: object, returns: type) -> bool:
    """Return whether a value is a user's own Python function with this return annotation."""
    return is_function(value) and is_own(value.__module__) and _returns(value, returns)


def is_function(value: object) -> typing.TypeGuard[types.FunctionType]:
    """Return whether a value is a Python function, even if it says another class of itself."""
    return type(value) is types.FunctionType


def is_own(module_name: str) -> bool:
    """Return whether an imported module is the user's: of no package, Python's or this one."""
    file = getattr(sys.modules.get(module_name), "__file__", None)
    if file is None or module_name.partition(".")[0] == __name__.partition(".")[0]:
        return False
    return owner_of(file) == "user"


def _is_class(value: object) -> typing.TypeGuard[type]:
    return issubclass(type(value), type)  # `isinstance` would ask the value for its `__class__`


def _returns(function: types.FunctionType, base: type) -> bool:
    plain = inspect.unwrap(function)
    noted = types.SimpleNamespace(__annotations__={"return": plain.__annotations__.get("return")})
    try:
        hint = typing.get_type_hints(noted, plain.__globals__)["return"]
    except NameError:  # the name is imported for type checking only
        return False
    return is_a(hint, (base,))


def _remedy(found: object, suits: Callable[[object], bool], bases: tuple[type, ...]) -> str | None:
    """Return how an object of the user's own would suit; None if nothing is known.

    Nothing of the user's is called: `suits` judges stand-ins.
    """
    if is_function(found) and is_own(found.__module__):
        for returns in (Tensor, nn.Module, float):
            stand_in = types.FunctionType(found.__code__, found.__globals__)
            stand_in.__module__, stand_in.__annotations__ = found.__module__, {"return": returns}
            if suits(stand_in):
                return f"annotate what it returns: `def {found.__name__}(…) -> {_name(returns)}:`"
    if not _is_class(found) or not is_own(str(vars(found).get("__module__"))):
        return None
    lacking = [
        name for name in _MEASURES if not is_function(inspect.getattr_static(found, name, None))
    ]
    measuring = type("Measuring", (), {name: lambda *_: None for name in _MEASURES})
    if lacking and suits(measuring):
        return f"write its {'method' if len(lacking) == 1 else 'methods'} {', '.join(lacking)}"
    base = next(filter(suits, bases), None)
    return f"derive it: `class {found.__name__}({_name(base)}):`" if base else None


def _name(cls: type) -> str:
    return cls.__name__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


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
