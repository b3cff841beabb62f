"""Exact, fast, validated runs: Hydra composes, PyTorch trains, MLflow compares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from experiments.catalog.frame import runs as runs

__all__ = ["runs"]


def __getattr__(name: str) -> Any:
    """Load a part of the Python interface when it is first used, so that a start stays fast."""
    if name in __all__:
        from experiments.catalog import frame

        return getattr(frame, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
