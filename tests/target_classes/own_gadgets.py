"""A user's module with objects that write the file `$GADGET` as soon as they are called."""

from __future__ import annotations

import functools
import os
from os import system as renamed  # noqa: F401  (an alias)
from pathlib import Path

from torch import Tensor, nn


def write(*_: object, **__: object) -> None:
    Path(os.environ["GADGET"]).touch()


def annotated_otherwise() -> dict[str, int]:
    write()
    return {}


def annotated_any(outputs, targets):
    write()


def annotated_unknown() -> NoSuchName:  # noqa: F821
    write()


def annotated_optional() -> nn.Module | None:
    write()


class Writing:
    def __init__(self, **_: object) -> None:
        write()


class Meta(type):
    def __call__(cls, *_: object, **__: object) -> None:
        write()

    def __getattr__(cls, name: str) -> object:
        write()
        raise AttributeError(name)

    def __instancecheck__(cls, instance: object) -> bool:
        write()
        return True

    def __subclasscheck__(cls, subclass: type) -> bool:
        write()
        return True


class WithMeta(metaclass=Meta):
    pass


class New:
    def __new__(cls, **_: object) -> object:
        write()
        return nn.Identity()


class Measure:
    """It has two of the three methods of a metric, and all as attributes."""

    reset = 1

    def __init__(self, **_: object) -> None:
        write()

    def update(self, outputs: Tensor, targets: Tensor) -> None: ...
    def compute(self) -> float: ...


class Pretender:
    """An instance that says it is a class."""

    @property
    def __class__(self) -> type:
        write()
        return type

    def __call__(self, **_: object) -> None:
        write()


class Method:
    @classmethod
    def made(cls, **_: object) -> nn.Module:
        write()
        return nn.Identity()

    def bound(self, **_: object) -> nn.Module:
        write()
        return nn.Identity()


pretender = Pretender()
bound = Method().bound
class_bound = Method.made
partial = functools.partial(write)
nameless = lambda *_, **__: write()  # noqa: E731
cached = functools.lru_cache(write)
