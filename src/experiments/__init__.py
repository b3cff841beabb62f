"""Exact, fast, validated runs: Hydra composes, PyTorch trains, MLflow compares."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from experiments.api.composing import compose as compose
    from experiments.api.loading import load as load
    from experiments.api.training import train as train
    from experiments.catalog.frame import runs as runs
    from experiments.errors import InputError as InputError
    from experiments.errors import RunError as RunError

_MODULES = {
    "InputError": "errors",
    "RunError": "errors",
    "compose": "api.composing",
    "load": "api.loading",
    "runs": "catalog.frame",
    "train": "api.training",
}
__all__ = ["InputError", "RunError", "compose", "load", "runs", "train"]


def __getattr__(name: str) -> Any:
    """Load a part of the Python interface when it is first used, so that a start stays fast."""
    if name in _MODULES:
        return getattr(importlib.import_module(f"experiments.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
