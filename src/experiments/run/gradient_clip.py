"""Clipping of gradients, as the configuration of the trainer asks for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import nn

from experiments.config import Trainer


def gradient_clip(model: nn.Module, trainer: Trainer) -> Callable[[], object] | None:
    """Return a function that bounds a model's gradients in place; None without a bound."""
    bound, parameters = trainer.gradient_clip_val, list(model.parameters())
    if bound is None:
        return None
    if trainer.gradient_clip_algorithm == "norm":
        return partial(nn.utils.clip_grad_norm_, parameters, bound)
    return partial(nn.utils.clip_grad_value_, parameters, bound)
