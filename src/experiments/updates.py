"""Updates: the optimizer of one run, or those of many lanes, stepped with few kernels.

`torch.optim` makes its lists of tensors anew at every step, runs hooks around it, and imports
torch's compiler for the first. The fused kernels of SGD and AdamW are called without all that: the
same kernels on the same numbers, so the same bits. Any other optimizer steps in its own way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import SGD, AdamW, Optimizer

Gradients = Sequence[Tensor | None]


def without_compiler() -> None:
    """Spare the optimizers the import of torch's compiler, which takes as long as torch itself.

    They wrap some methods in `torch._dynamo.disable` for programs that compile what calls these;
    nothing here does.
    """
    for method in (
        Optimizer.add_param_group,
        Optimizer.load_state_dict,
        Optimizer.state_dict,
        Optimizer.zero_grad,
    ):
        plain = getattr(method, "__wrapped__", None)
        if plain is not None:
            plain.__dynamo_disable = plain


def memory(tensor: Tensor) -> Tensor:
    """Return the elements of a dense tensor in the order of its memory, (N), sharing it."""
    return tensor.as_strided((tensor.numel(),), (1,))


def is_dense(tensor: Tensor) -> bool:
    """Return whether a tensor fills its memory without gaps or overlaps, in whatever order."""
    return torch.empty_like(tensor, device="meta").stride() == tensor.stride()


def like(parameter: Tensor, value: Tensor) -> Tensor:
    """Return a value of a parameter's shape laid out in memory as the parameter is."""
    if value.stride() == parameter.stride():
        return value
    return torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def parameters_of(optimizer: Optimizer) -> list[Tensor]:
    """Return an optimizer's parameters, group by group."""
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _follow_layout(optimizer: Optimizer) -> None:
    """Lay each state that has its parameter's shape out in memory as the parameter is.

    Fused kernels pair a weight with its momentum by their places in memory.
    """
    for parameter in parameters_of(optimizer):
        state = optimizer.state.get(parameter, {})
        for name, value in state.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                state[name] = like(parameter, value)


class Updates:
    """Steps optimizers, each by the gradients of its parameters.

    Optimizers with equal hyperparameters share a kernel call. The hyperparameters are read when
    this is made, and again at `refresh`.
    """

    def __init__(self, optimizers: Sequence[Optimizer]) -> None:
        self._optimizers = optimizers
        self._parameters = [parameters_of(optimizer) for optimizer in optimizers]
        for optimizer in optimizers:
            _follow_layout(optimizer)
            # A schedule warns if it steps before an optimizer whose own `step` was not called.
            optimizer._opt_called = True  # type: ignore[attr-defined]
        self._fused = [_fused(optimizer) for optimizer in optimizers]
        self.refresh()

    def refresh(self) -> None:
        """Read the hyperparameters again, which a schedule may have changed."""
        shared: dict[tuple[Any, ...], list[tuple[int, _Fused]]] = {}
        for number, groups in enumerate(self._fused):
            for group in groups:
                key = type(group), *group.hyperparameters().items()
                shared.setdefault(key, []).append((number, group))
        self._calls = [_Call(members) for members in shared.values()]

    def step(self) -> None:
        """Step by the gradients that `backward` left at the parameters, and take these away."""
        gradients: list[Gradients] = []
        for parameters in self._parameters:
            found = [(parameter, parameter.grad) for parameter in parameters]
            gradients.append([g if g is None else memory(like(p, g)) for p, g in found])
            for parameter in parameters:
                parameter.grad = None
        self.step_by(gradients)

    @torch.no_grad()
    def step_by(self, gradients: Sequence[Gradients]) -> None:
        """Step by gradients of each optimizer's parameters, in the order of `memory`."""
        for number, given in enumerate(gradients):
            if self._fused[number] and any(gradient is None for gradient in given):
                self._fused[number] = []  # torch's own step leaves such parameters out
                self.refresh()
            if not self._fused[number]:
                self._step_alone(number, given)
        for call in self._calls:
            call.run(gradients)
        if any(call.is_first for call in self._calls):
            self.refresh()

    def _step_alone(self, number: int, gradients: Gradients) -> None:
        for parameter, gradient in zip(self._parameters[number], gradients, strict=True):
            if gradient is not None:
                parameter.grad = gradient.as_strided(parameter.shape, parameter.stride())
        self._optimizers[number].step()
        for parameter in self._parameters[number]:
            parameter.grad = None


class _Fused:
    """A parameter group whose step is a call of a fused kernel."""

    def __init__(self, optimizer: Optimizer, group: dict[str, Any], start: int) -> None:
        self.group, self._optimizer = group, optimizer
        self.place = slice(start, start + len(group["params"]))  # among the optimizer's parameters
        self.parameters = [memory(parameter.detach()) for parameter in group["params"]]
        self._states: dict[str, list[Tensor]] = {}

    def hyperparameters(self) -> dict[str, Any]:
        """Return what the kernel takes beside tensors."""
        raise NotImplementedError

    @staticmethod
    def kernel(*lists: list[Tensor], **hyperparameters: Any) -> None:
        """Step lists of parameters by one of gradients and those of states."""
        raise NotImplementedError

    def states(self) -> list[list[Tensor]]:
        """Return the states of the parameters, a list for each kind; made where missing."""
        raise NotImplementedError

    def is_new(self, name: str) -> bool:
        """Return whether a kind of state is still to be made."""
        return any(name not in self._optimizer.state[p] for p in self.group["params"])

    def state(self, name: str, *, scalar: bool = False) -> list[Tensor]:
        """Return a kind of state, made of zeros where missing."""
        if name not in self._states:
            for parameter in self.group["params"]:
                made = torch.zeros_like(parameter)
                if scalar:
                    made = torch.zeros((), device=parameter.device)
                self._optimizer.state[parameter].setdefault(name, made)
            found = [self._optimizer.state[parameter][name] for parameter in self.group["params"]]
            self._states[name] = [memory(value) for value in found]
        return self._states[name]


class _SGD(_Fused):
    def hyperparameters(self) -> dict[str, Any]:
        names = ("weight_decay", "momentum", "lr", "dampening", "nesterov", "maximize")
        told = {name: self.group[name] for name in names}
        # The first step takes the gradient for the momentum, whatever the dampening.
        return told | {"is_first_step": bool(told["momentum"]) and self.is_new("momentum_buffer")}

    @staticmethod
    def kernel(*lists: list[Tensor], **hyperparameters: Any) -> None:
        torch._fused_sgd_(*lists, **hyperparameters)

    def states(self) -> list[list[Tensor]]:
        return [self.state("momentum_buffer")] if self.group["momentum"] else [[]]


class _AdamW(_Fused):
    def hyperparameters(self) -> dict[str, Any]:
        names = ("lr", "weight_decay", "eps", "maximize", "amsgrad")
        beta1, beta2 = self.group["betas"]
        return {name: self.group[name] for name in names} | {"beta1": beta1, "beta2": beta2}

    @staticmethod
    def kernel(*lists: list[Tensor], **hyperparameters: Any) -> None:
        torch._foreach_add_(lists[-1], 1)
        torch._fused_adamw_(*lists, **hyperparameters)

    def states(self) -> list[list[Tensor]]:
        largest = self.state("max_exp_avg_sq") if self.group["amsgrad"] else []
        means = [self.state("exp_avg"), self.state("exp_avg_sq")]
        return [*means, largest, self.state("step", scalar=True)]


class _Call:
    """A kernel call for all groups that share its hyperparameters."""

    def __init__(self, members: Sequence[tuple[int, _Fused]]) -> None:
        self._members = members
        first = members[0][1]
        self._kernel, self._hyperparameters = first.kernel, first.hyperparameters()
        self._parameters = [p for _, group in members for p in group.parameters]
        self._states: list[list[Tensor]] | None = None
        self.is_first = bool(self._hyperparameters.get("is_first_step"))

    def run(self, gradients: Sequence[Gradients]) -> None:
        """Step by gradients of each optimizer's parameters."""
        if self._states is None:
            parts = [group.states() for _, group in self._members]
            self._states = [[s for part in kind for s in part] for kind in zip(*parts, strict=True)]
        given = [gradients[number][group.place] for number, group in self._members]
        merged = [g for part in given for g in part if g is not None]  # `step_by` saw to it
        self._kernel(self._parameters, merged, *self._states, **self._hyperparameters)


def _fused(optimizer: Optimizer) -> Sequence[_Fused]:
    """Return the groups of an optimizer that a fused kernel can step as it would; else none."""
    kind: type[_Fused] | None = {SGD: _SGD, AdamW: _AdamW}.get(type(optimizer))
    hooks = optimizer._optimizer_step_pre_hooks or optimizer._optimizer_step_post_hooks
    if kind is None or hooks or not all(map(_is_plain, optimizer.param_groups)):
        return []
    groups, start = [], 0
    for group in optimizer.param_groups:
        groups.append(kind(optimizer, group, start))
        start += len(group["params"])
    return groups


def _is_plain(group: dict[str, Any]) -> bool:
    usual = group["fused"] and not group["differentiable"] and isinstance(group["lr"], float)
    return bool(usual) and all(map(is_dense, group["params"]))
