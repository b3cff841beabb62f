"""Updates: step the optimizer of one run, or the optimizers of many lanes, with few kernels.

`torch.optim` builds its lists of tensors anew at every step, runs hooks around the step, and
imports torch's compiler for the first step. This module calls the fused kernels of SGD and AdamW
without this overhead. They are the same kernels on the same numbers, so the results are equal to
the bit. In all other cases (another optimizer, a hook, a sparse gradient, a weight with gaps in
memory, a scaled loss) the optimizer's own step runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.amp import GradScaler
from torch.optim import Optimizer
from torch.optim.optimizer import _global_optimizer_post_hooks, _global_optimizer_pre_hooks

from experiments.threads import ThreadChoice
from experiments.training.fused_kernels import Kernel, kernel_of, suits_a_kernel
from experiments.training.memory_layout import like
from experiments.training.own_step import step_alone

Gradients = Sequence[Tensor | None]


def without_compiler() -> None:
    """Keep optimizers from importing torch's compiler, which takes as long as importing torch.

    Optimizers wrap some methods in `torch._dynamo.disable`, for programs that compile the callers
    of these methods. This program compiles models alone (`run.compiling`), never an optimizer.
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


def parameters_of(optimizer: Optimizer) -> list[Tensor]:
    """Return an optimizer's parameters, group by group."""
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


class Updates:
    """Steps optimizers, each by the gradients of its parameters.

    Optimizers with equal hyperparameters share a kernel call. The calls are planned at the first
    step. They are planned again after `refresh`, and if other parameters have gradients, a memory
    layout changes, or a hook is added or removed.
    """

    def __init__(self, optimizers: Sequence[Optimizer], scaler: GradScaler | None = None) -> None:
        self._optimizers, self._scaler = optimizers, scaler
        self._planned: tuple[object, list[bool]] | None = None
        self._threads = ThreadChoice()  # each element is stepped on its own
        for optimizer in optimizers:
            # A schedule warns if it steps before an optimizer whose own `step` was not called.
            optimizer._opt_called = True  # type: ignore[attr-defined]

    def refresh(self) -> None:
        """Read groups, hyperparameters and states again, after a schedule may have changed them."""
        self._planned = None

    def only_call(self) -> Call | None:
        """Return the kernel call of the last step, for a caller that repeats it.

        Returns:
            None if the next step is planned anew or takes more than this call.
        """
        hooks = [_has_hooks(optimizer) for optimizer in self._optimizers]
        if self._planned is None or self._planned[1] != hooks or self._alone:
            return None
        return self._calls[0] if len(self._calls) == 1 and self._scaler is None else None

    def step(self) -> None:
        """Step by the gradients that `backward` left in the parameters, then set them to None."""
        parameters = [parameters_of(optimizer) for optimizer in self._optimizers]
        gradients = [[parameter.grad for parameter in each] for each in parameters]
        forms = [
            (parameter.stride(), parameter.dtype, _form(gradient))
            for each, given in zip(parameters, gradients, strict=True)
            for parameter, gradient in zip(each, given, strict=True)
        ]
        self._step(gradients, forms)
        for each in parameters:
            for parameter in each:
                parameter.grad = None

    def step_by(self, gradients: Sequence[Gradients]) -> None:
        """Step by gradients of each optimizer's parameters, with the memory layout of these."""
        self._step(gradients, [gradient is None for given in gradients for gradient in given])
        for number in self._alone:
            for parameter in parameters_of(self._optimizers[number]):
                parameter.grad = None

    @torch.no_grad()
    def _step(self, gradients: Sequence[Gradients], forms: object) -> None:
        planned = forms, [_has_hooks(optimizer) for optimizer in self._optimizers]
        if planned != self._planned:
            self._plan(gradients)
            self._planned = planned
        for number in self._alone:
            optimizer = self._optimizers[number]
            step_alone(optimizer, parameters_of(optimizer), gradients[number], self._scaler)
        if self._scaler is not None:
            self._scaler.update()
        for call in self._calls:
            self._threads.call(call.run, gradients)
        if any(call.is_first for call in self._calls):
            self.refresh()

    def _plan(self, gradients: Sequence[Gradients]) -> None:
        """Choose the optimizers that step alone, and plan shared kernel calls for the others."""
        self._alone: list[int] = []
        calls: dict[object, Call] = {}
        for number, (optimizer, given) in enumerate(zip(self._optimizers, gradients, strict=True)):
            _follow_layout(optimizer)
            kernel = _kernel(optimizer, given) if self._scaler is None else None
            if kernel is None:
                self._alone.append(number)
                continue
            for index, group, parameter in _with_gradients(optimizer, given):
                told = kernel.hyperparameters(group, optimizer.state.get(parameter, {}))
                key = kernel, *told.items(), parameter.dtype, parameter.device
                call = calls.setdefault(key, Call(kernel, told))
                call.add((number, index), parameter, kernel.states(group, parameter, optimizer))
        self._calls = list(calls.values())


class Call:
    """A kernel call for all parameters that share its hyperparameters."""

    def __init__(self, kernel: type[Kernel], hyperparameters: Mapping[str, Any]) -> None:
        self.kernel, self.hyperparameters = kernel, hyperparameters
        self.is_first = bool(hyperparameters.get("is_first_step"))
        self.parameters: list[Tensor] = []
        self.states: list[list[Tensor]] = []
        self._places: list[tuple[int, int]] = []

    def add(self, place: tuple[int, int], parameter: Tensor, states: Sequence[Tensor]) -> None:
        """Add a parameter, its states, and the place of its gradient: (optimizer, index)."""
        self._places.append(place)
        self.parameters.append(parameter)
        self.states = self.states or [[] for _ in states]
        for kind, state in zip(self.states, states, strict=True):
            kind.append(state)

    def run(self, gradients: Sequence[Gradients]) -> None:
        """Step the parameters by their gradients, which are not None."""
        found = [gradients[number][index] for number, index in self._places]
        given = [gradient for gradient in found if gradient is not None]
        self.kernel.run(self.parameters, given, self.states, **self.hyperparameters)


def _form(gradient: Tensor | None) -> object:
    if gradient is None or gradient.layout is not torch.strided:
        return gradient is None
    return gradient.stride(), gradient.dtype


def _has_hooks(optimizer: Optimizer) -> bool:
    return bool(
        optimizer._optimizer_step_pre_hooks
        or optimizer._optimizer_step_post_hooks
        or _global_optimizer_pre_hooks
        or _global_optimizer_post_hooks
    )


def _with_gradients(
    optimizer: Optimizer, gradients: Gradients
) -> Iterator[tuple[int, dict[str, Any], Tensor]]:
    """Yield the index, the group and the parameter of each gradient that is not None."""
    pairs = [(group, each) for group in optimizer.param_groups for each in group["params"]]
    for index, ((group, parameter), gradient) in enumerate(zip(pairs, gradients, strict=True)):
        if gradient is not None:
            yield index, group, parameter


def _follow_layout(optimizer: Optimizer) -> None:
    """Give each state with the shape of its parameter the memory layout of the parameter.

    Fused kernels pair a weight with its momentum by their positions in memory.
    """
    for parameter in parameters_of(optimizer):
        state = optimizer.state.get(parameter, {})
        for name, value in state.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                state[name] = like(parameter, value)


def _kernel(optimizer: Optimizer, gradients: Gradients) -> type[Kernel] | None:
    """Return the kernel that is equivalent to the optimizer's own step, or None."""
    kernel = kernel_of(optimizer)
    parameters = parameters_of(optimizer)
    scales = (getattr(optimizer, name, None) for name in ("grad_scale", "found_inf"))
    if (
        kernel is None
        or _has_hooks(optimizer)
        or any(scale is not None for scale in scales)
        or len({id(parameter) for parameter in parameters}) < len(parameters)
    ):
        return None
    for parameter, gradient in zip(parameters, gradients, strict=True):
        if gradient is not None and not (
            suits_a_kernel(parameter, gradient)
            and kernel.fits(parameter, optimizer.state.get(parameter, {}))
        ):
            return None
    return kernel
