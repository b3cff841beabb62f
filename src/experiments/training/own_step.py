"""The step of an optimizer's own, without fused kernels where they would not be right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor
from torch.amp import GradScaler
from torch.optim import Optimizer

from experiments.training.fused_kernels import suits_a_kernel


def step_alone(
    optimizer: Optimizer,
    parameters: Sequence[Tensor],
    gradients: Sequence[Tensor | None],
    scaler: GradScaler | None,
) -> None:
    """Step an optimizer by the gradients of its parameters.

    Args:
        optimizer: the optimizer.
        parameters: its parameters, group by group.
        gradients: one for each parameter.
        scaler: has unscaled the gradients, and skips the step if one of them is infinite or NaN.
    """
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient
    given = {id(p): g for p, g in zip(parameters, gradients, strict=True) if g is not None}
    is_scaled = scaler is not None
    unfused = [
        group
        for group in optimizer.param_groups
        if not _can_be_fused(group, given, optimizer, is_scaled=is_scaled)
    ]
    if scaler is None:
        with _unfused(unfused):
            optimizer.step()
        return
    # A step with infinite gradients is skipped: by fused kernels on the device, for all groups, or
    # by the scaler, which waits for the device.
    with (
        _unfused(optimizer.param_groups if unfused else []),
        _skipped_by_scaler(optimizer, unfused),
    ):
        scaler.step(optimizer)


def _can_be_fused(
    group: Mapping[str, Any],
    gradients: Mapping[int, Tensor],
    optimizer: Optimizer,
    *,
    is_scaled: bool,
) -> bool:
    """Return whether torch's fused kernels can step a group; torch does not check it."""
    there = [parameter for parameter in group["params"] if id(parameter) in gradients]
    begun = set()
    if group.get("momentum"):
        states = [optimizer.state.get(parameter, {}) for parameter in there]
        begun = {state.get("momentum_buffer") is not None for state in states}
        if is_scaled and False in begun:
            return False  # a first step that the kernel skips would leave momenta uninitialised
    return len(begun) < 2 and all(suits_a_kernel(each, gradients[id(each)]) for each in there)


@contextmanager
def _unfused(groups: Sequence[dict[str, Any]]) -> Iterator[None]:
    """Make torch step groups without fused kernels, parameter by parameter."""
    fused = [group for group in groups if group.get("fused")]
    for group in fused:
        group["fused"] = False
    try:
        yield
    finally:
        for group in fused:
            group["fused"] = True


@contextmanager
def _skipped_by_scaler(optimizer: Any, unfused: Sequence[object]) -> Iterator[None]:
    """Make a scaler skip an optimizer's step itself, if any group is stepped without a kernel."""
    supports = getattr(optimizer, "_step_supports_amp_scaling", None)
    if not unfused or supports is None:
        yield
        return
    optimizer._step_supports_amp_scaling = False
    try:
        yield
    finally:
        optimizer._step_supports_amp_scaling = supports
