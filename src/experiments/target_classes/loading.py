"""What a part of a configuration may load while it is built: tensors, and no other model."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from experiments.errors import InputError

_SAFELY = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"  # libraries ask torch to unpickle any object
_IMAGE = (
    *("arniqa", "dists", "fid", "inception", "kid", "lpip", "lpips", "mifid"),
    "perceptual_path_length",
)
_LOADING = frozenset(
    f"torchmetrics.{place}{kind}"
    for place in ("", "functional.")
    for kind in ("text", "multimodal", "audio", *(f"image.{name}" for name in _IMAGE))
)
"""the parts of torchmetrics that load a model: of any name, with its code, or with its weights"""


def refuse_loading(key: str, target: str, found: object) -> None:
    """Refuse a class or function of a library that loads another model.

    Args:
        key: the part of the configuration.
        target: the name of the object there.
        found: the object.

    Raises:
        InputError: it loads one.
    """
    if loads_a_model(found):
        raise InputError(
            f"{key}._target_={target}: is not allowed; its part of torchmetrics loads models whose "
            "weights the run's identity cannot see; choose another, or write a class of your own"
        )


def loads_a_model(value: object) -> bool:
    """Return whether an object is of a library's module that loads another model."""
    steps = str(getattr(value, "__module__", "")).split(".")
    return any(".".join(steps[:depth]) in _LOADING for depth in range(2, len(steps) + 1))


@contextmanager
def weights_only() -> Iterator[None]:
    """Have torch load tensors only, and no other pickled objects."""
    before = os.environ.get(_SAFELY)
    os.environ[_SAFELY] = "1"
    try:
        yield
    finally:
        os.environ.pop(_SAFELY)
        if before is not None:
            os.environ[_SAFELY] = before
