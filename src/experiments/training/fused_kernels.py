"""The fused kernels of torch's SGD and AdamW, called as `torch.optim` of torch 2.15 calls them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import SGD, AdamW, Optimizer

from experiments.training.memory_layout import is_dense, is_laid_out_like


class Kernel:
    """The fused step of one optimizer class, on lists of parameters, gradients and states.

    A kernel pairs the elements of a parameter, its gradient and its states by their places in
    memory, without any check. For a weight with gaps in memory it would overwrite other memory.
    """

    compiled: str
    """the name of its operator in `chain_steps.cpp`"""
    kinds: int
    """the largest number of kinds of states"""

    @staticmethod
    def hyperparameters(group: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments of the kernel that are not tensors, for a parameter's state."""
        raise NotImplementedError

    @classmethod
    def steps(cls, group: Mapping[str, Any]) -> bool:
        """Return whether the optimizer's own step would call the kernel with plain numbers."""
        told = cls.hyperparameters(group, {}).values()
        others = (group.get(name) for name in ("differentiable", "foreach", "capturable"))
        return (
            bool(group["fused"])
            and not any(others)
            and all(isinstance(value, int | float) for value in told)
        )

    @staticmethod
    def fits(parameter: Tensor, state: Mapping[str, Any]) -> bool:
        """Return whether the state of a parameter is empty or one that the kernel can update."""
        raise NotImplementedError

    @staticmethod
    def states(group: Mapping[str, Any], parameter: Tensor, optimizer: Optimizer) -> list[Tensor]:
        """Return the states of a parameter as the kernel takes them; make missing ones."""
        raise NotImplementedError

    @staticmethod
    def run(
        parameters: list[Tensor],
        gradients: list[Tensor],
        states: Sequence[list[Tensor]],
        **hyperparameters: Any,
    ) -> None:
        """Step parameters in place; `states` holds a list per kind of state, as long as theirs."""
        raise NotImplementedError


class _SGD(Kernel):
    compiled, kinds = "sgd", 1

    @staticmethod
    def hyperparameters(group: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, Any]:
        names = ("weight_decay", "momentum", "lr", "dampening", "nesterov", "maximize")
        # The first step sets the momentum to the gradient, without dampening.
        is_first = bool(group["momentum"]) and state.get("momentum_buffer") is None
        return {name: group[name] for name in names} | {"is_first_step": is_first}

    @staticmethod
    def fits(parameter: Tensor, state: Mapping[str, Any]) -> bool:
        momentum = state.get("momentum_buffer")
        return momentum is None or _is_a_twin(parameter, momentum)

    @staticmethod
    def states(group: Mapping[str, Any], parameter: Tensor, optimizer: Optimizer) -> list[Tensor]:
        if not group["momentum"]:
            return []
        state = optimizer.state[parameter]
        if state.get("momentum_buffer") is None:
            state["momentum_buffer"] = torch.empty_like(parameter)
        return [state["momentum_buffer"]]

    @staticmethod
    def run(
        parameters: list[Tensor],
        gradients: list[Tensor],
        states: Sequence[list[Tensor]],
        **hyperparameters: Any,
    ) -> None:
        momenta = states[0] if states else []
        torch._fused_sgd_(parameters, gradients, momenta, **hyperparameters)


class _AdamW(Kernel):
    compiled, kinds = "adamw", 4

    @staticmethod
    def hyperparameters(group: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, Any]:
        del state
        names = ("lr", "weight_decay", "eps", "maximize", "amsgrad")
        beta1, beta2 = group["betas"]
        return {name: group[name] for name in names} | {"beta1": beta1, "beta2": beta2}

    @staticmethod
    def fits(parameter: Tensor, state: Mapping[str, Any]) -> bool:
        steps = state.get("step")
        means = [value for name, value in state.items() if name != "step"]
        return not state or (
            isinstance(steps, Tensor)
            and (steps.dtype, steps.dim(), steps.device) == (torch.float32, 0, parameter.device)
            and {"exp_avg", "exp_avg_sq"} <= state.keys()
            and all(_is_a_twin(parameter, value) for value in means)
        )

    @staticmethod
    def states(group: Mapping[str, Any], parameter: Tensor, optimizer: Optimizer) -> list[Tensor]:
        largest = ("max_exp_avg_sq",) if group["amsgrad"] else ()
        state = optimizer.state[parameter]
        if not state:
            state["step"] = torch.zeros((), device=parameter.device)
        for name in ("exp_avg", "exp_avg_sq", *largest):
            state.setdefault(name, torch.zeros_like(parameter))
        return [state[name] for name in ("step", "exp_avg", "exp_avg_sq", *largest)]

    @staticmethod
    def run(
        parameters: list[Tensor],
        gradients: list[Tensor],
        states: Sequence[list[Tensor]],
        **hyperparameters: Any,
    ) -> None:
        steps, means, squares, *others = states
        largest = others[0] if others else []
        torch._foreach_add_(steps, 1)
        torch._fused_adamw_(
            parameters, gradients, means, squares, largest, steps, **hyperparameters
        )


_KERNELS: Mapping[type[Optimizer], type[Kernel]] = {SGD: _SGD, AdamW: _AdamW}


def kernel_of(optimizer: Optimizer) -> type[Kernel] | None:
    """Return the kernel that the options of an optimizer ask for; None if it has none."""
    kernel = _KERNELS.get(type(optimizer))
    return kernel if kernel and all(map(kernel.steps, optimizer.param_groups)) else None


def suits_a_kernel(parameter: Tensor, gradient: Tensor) -> bool:
    """Return whether the types and memory layouts of a parameter and its gradient suit a kernel."""
    return (
        parameter.is_floating_point()
        and gradient.layout is torch.strided
        and gradient.dtype == parameter.dtype
        and is_dense(parameter)
        and is_laid_out_like(parameter, gradient)
    )


def _is_a_twin(parameter: Tensor, value: object) -> bool:
    return (
        isinstance(value, Tensor)
        and (value.shape, value.dtype, value.device)
        == (parameter.shape, parameter.dtype, parameter.device)
        and is_laid_out_like(parameter, value)
    )
