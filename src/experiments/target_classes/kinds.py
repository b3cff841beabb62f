"""The classes and functions that may be a loss or a metric."""

from __future__ import annotations

import inspect
import sys
import types
from collections.abc import Mapping
from typing import Any, Protocol, cast, runtime_checkable

from torch import Tensor, nn

from experiments.target_classes.calling import call
from experiments.target_classes.finding import Function, find, is_a, is_function, is_own_function
from experiments.target_classes.loading import refuse_loading

_LIBRARIES = ("torch.nn.functional", "torchvision.ops", "torchmetrics.functional")
_METHODS = ("update", "compute", "reset")
_FUNCTION = (
    "or a function (outputs, targets) of torch.nn.functional, torchvision.ops or "
    "torchmetrics.functional, or of your own that is annotated to return torch.Tensor"
)


def resolve_loss(key: str, target: str) -> type[nn.Module] | Function:
    """Return the class or function that `key._target_` names as a loss.

    Allowed are subclasses of `nn.Module`; functions of torch.nn.functional, torchvision.ops and
    torchmetrics.functional; and functions in a module of the user's own with the return annotation
    `Tensor`.

    Raises:
        InputError: there is no such object, it is not allowed, or it loads a model.
    """
    kind = f"a subclass of torch.nn.modules.module.Module, {_FUNCTION},"
    found = find(key, target, kind, lambda value: is_module_class(value) or _computes(value))
    refuse_loading(key, target, found)
    return cast("type[nn.Module] | Function", found)


def resolve_metric(key: str, target: str) -> type | Function:
    """Return the class or function that `key._target_` names as a metric.

    Allowed are classes with the methods `update`, `compute` and `reset`, such as those of
    torchmetrics, and the functions that `resolve_loss` allows.

    Raises:
        InputError: there is no such object, it is not allowed, or it loads a model.
    """
    kind = f"a class with update, compute and reset, {_FUNCTION},"
    found = find(key, target, kind, lambda value: _measures(value) or _computes(value))
    refuse_loading(key, target, found)
    return cast("type | Function", found)


def build_metric(
    key: str, cls: type, given: Mapping[str, Any], arguments: Mapping[str, Any]
) -> Any:
    """Return `cls(**given, **arguments)`, as `build` does, if it is a metric of any class.

    A class such as `torchmetrics.Accuracy` makes an object of another class.

    Raises:
        InputError: as `build`; or the object has not the methods of a metric.
    """
    return call(key, cls, given, arguments, kind=cast("type[object]", _Measuring))


@runtime_checkable
class _Measuring(Protocol):
    def update(self, outputs: Any, targets: Any, /) -> None: ...
    def compute(self) -> Any: ...
    def reset(self) -> None: ...


def is_module_class(value: object) -> bool:
    """Return whether a value is a subclass of `nn.Module`."""
    return is_a(value, (nn.Module,))


def _measures(value: object) -> bool:
    """Return whether a value is a class with the methods of a metric; look, and call nothing."""
    if not is_a(value, (object,)):
        return False
    cls = cast("type", value)
    return cls.__module__.partition(".")[0] not in sys.stdlib_module_names and all(
        isinstance(inspect.getattr_static(cls, name, None), types.FunctionType) for name in _METHODS
    )


def _computes(value: object) -> bool:
    """Return whether a value is a function of tensors, from a library or of the user's own."""
    if is_own_function(value, Tensor):
        return True
    if type(value) is types.BuiltinFunctionType:
        is_torchs = value.__module__ in {"torch", "torch._C._nn"}
        return is_torchs and value is vars(nn.functional).get(value.__name__)
    return (
        is_function(value)
        and value.__module__.startswith(_LIBRARIES)
        and not value.__name__.startswith("_")
    )
