"""Gradients of chains of linear layers, written out: a step takes half of autograd's time.

Shapes: B batch, I inputs and O outputs of a layer.

Autograd builds and walks a graph at each step, and its products of float32 matrices run in MKL,
which uses half of the vector width of AMD's processors. This module computes the same derivatives
(Rumelhart, Hinton and Williams, "Learning representations by back-propagating errors", 1986) with
few calls, and the products in oneDNN. Sums are rounded in another order, so the results agree with
autograd's up to rounding errors.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from experiments.randomness import random_state, set_random_state
from experiments.tasks import Loss, is_plain_cross_entropy
from experiments.threads import ThreadChoice
from experiments.training.gradients import Autograd, Gradients
from experiments.training.linear_chain import HOOKS, Activation, Layer, linear_chain
from experiments.training.marks import BACKWARD, FORWARD

_AGREE = 1e-5  # of a tensor's largest value; float32 rounds at 6e-8, and hundreds of times in a sum

T = TypeVar("T")

_aten = torch.ops.aten
_ONEDNN = getattr(torch.ops.mkldnn, "_linear_pointwise", None)  # torch's compiler calls it too
LONGEST_SUM = 8192  # numbers; oneDNN divides sums of 24,000 by the number of threads
LARGE = 2**21  # multiplications; below, a call of oneDNN costs more than it gains


def _on_one_thread(function: Callable[..., Tensor], *arguments: Tensor) -> Tensor:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return function(*arguments)
    finally:
        torch.set_num_threads(threads)


_ACTIVATE: Mapping[Activation, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu_,
    # The last numbers of each thread's share have other bits: they do not fill a vector.
    "sigmoid": partial(_on_one_thread, torch.sigmoid_),
    "tanh": torch.tanh_,
}
_DERIVE: Mapping[Activation, Callable[[Tensor, Tensor], Tensor]] = {
    "relu": lambda gradient, value: _aten.threshold_backward.default(gradient, value, 0),
    "sigmoid": _aten.sigmoid_backward.default,
    "tanh": _aten.tanh_backward.default,
}
"""from the gradient of an activation's value, and the value, to the gradient of its input"""


def chain_gradients(autograd: Autograd, images: Tensor, labels: Tensor) -> ChainGradients | None:
    """Return the gradients of a chain of linear layers, after a trial against autograd.

    Args:
        autograd: that of a model in float32.
        images: float32 (B, C, H, W) for the trial.
        labels: theirs.

    Returns:
        None if the model is not a chain, or the trial finds other losses or gradients.
    """
    layers = linear_chain(autograd.model)
    if layers is None or _ONEDNN is None:
        return None
    before = random_state(images.device)
    try:
        mine, its = (_tried(autograd, each, images, labels) for each in (layers, None))
        agree = len(mine) == len(its) and all(map(_agree, mine, its))
    except (RuntimeError, IndexError, TypeError):
        return None  # the loss or the images are of a kind that only a call of the model can take
    finally:
        set_random_state(images.device, before)
    return ChainGradients(autograd, layers) if agree else None


def _tried(
    autograd: Autograd, layers: Sequence[Layer] | None, images: Tensor, labels: Tensor
) -> list[Tensor]:
    """Return the loss and the gradients of a copy of a model, as a chain if `layers` are given."""
    model, layers = copy.deepcopy((autograd.model, layers))
    task = copy.copy(autograd.task)
    task.loss = copy.deepcopy(task.loss)
    autograd = Autograd(model, task)
    gradients = ChainGradients(autograd, layers) if layers else autograd
    loss = gradients.add(images, labels, 2)
    found = [each.grad for each in model.parameters()]
    return [loss, *(each for each in found if each is not None)]


def _agree(mine: Tensor, its: Tensor) -> bool:
    return mine.shape == its.shape and bool((mine - its).abs().max() <= _AGREE * its.abs().max())


class ChainGradients(Gradients):
    """The gradients of a chain of linear layers, with the same bits on any number of threads."""

    def __init__(self, autograd: Autograd, layers: Sequence[Layer]) -> None:
        """Take the parts.

        Args:
            autograd: that of the model, which computes where the chain may not.
            layers: the model's layers.
        """
        self.autograd, self.layers = autograd, layers
        self._task, self._threads = autograd.task, ThreadChoice()
        model, loss = autograd.model, autograd.task.loss
        parts = [*model.modules(), *(loss.modules() if isinstance(loss, nn.Module) else ())]
        self._hooks = [getattr(part, name) for part in parts for name in HOOKS]
        self._hooks += [getattr(nn.modules.module, f"_global{name}") for name in HOOKS]
        self._loss = loss
        self._modules = [(each._modules, [*each._modules.values()]) for each in model.modules()]
        # Looking a parameter up in a module's own dictionary saves microseconds.
        self._parts: list[tuple[nn.Linear, dict[str, Any], Activation | None]] = [
            (layer.linear, layer.linear._parameters, layer.activation) for layer in layers
        ]
        sizes = [size for layer in layers for size in layer.linear.weight.shape]
        self.has_short_sums = max(sizes) <= LONGEST_SUM

    def add(self, images: Tensor, labels: Tensor, count: int) -> Tensor:
        """Run the layers forward and backward.

        The model itself is called while a callback has changed more than the values of its weights.
        """
        if not self.is_unchanged():
            return self.autograd.add(images, labels, count)
        marks, compute = self.autograd.marks, self._threads.call
        if not self.has_short_sums or len(images) > LONGEST_SUM:
            compute = with_all_threads
        with marks.phase(FORWARD):
            with torch.no_grad():
                values = compute(self._forward, images)
            targets = self._task.targets(images, labels)
            is_plain = is_plain_cross_entropy(self._loss)
            if is_plain and not self._loss.label_smoothing:  # type: ignore[attr-defined]
                loss, gradient = compute(_cross_entropy, values[-1], targets)
            else:
                loss, gradient = _loss_and_gradient(self._loss, values[-1], targets)
        with marks.phase(BACKWARD), torch.no_grad():
            compute(self._backward, values, gradient / count if count > 1 else gradient)
        return loss

    def is_unchanged(self) -> bool:
        """Return whether no hook was added, no module replaced and no parameter frozen."""
        return (
            not any(self._hooks)
            and self._task.loss is self._loss
            and all([*now.values()] == then for now, then in self._modules)
            and all(
                type(linear) is nn.Linear and all(map(_is_free, parameters.values()))
                for linear, parameters, _ in self._parts
            )
            and "forward" not in vars(self.autograd.model)
        )

    def _forward(self, images: Tensor) -> list[Tensor]:
        """Return the flat images and the values of each layer."""
        values = [images.flatten(1)]
        for _, parameters, activation in self._parts:
            value = _product(values[-1], parameters["weight"], parameters["bias"])
            values.append(_ACTIVATE[activation](value) if activation is not None else value)
        return values

    def _backward(self, values: list[Tensor], gradient: Tensor) -> None:
        """Add the gradients of the parameters.

        Args:
            values: as `_forward` returns them.
            gradient: of the last values.
        """
        for _, parameters, activation in reversed(self._parts):
            value = values.pop()
            if activation is not None:
                gradient = _DERIVE[activation](gradient, value)
            weight, bias, value = parameters["weight"], parameters["bias"], values[-1]
            _add(weight, _product(gradient.t(), value.t()))
            if bias is not None:
                _add(bias, gradient.sum(0))
            if len(values) > 1:
                gradient = _product(gradient, weight.t())


def with_all_threads(function: Callable[..., T], *arguments: object) -> T:
    """Return a function's result, as `ThreadChoice.call` does, without a choice."""
    return function(*arguments)


def _product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return x (B, I) times the transpose of a weight (O, I), plus a bias (O).

    oneDNN gives the same bits on any number of threads. MKL does not, and computes small products
    on one thread.
    """
    product: Tensor
    if len(weight) * x.numel() >= LARGE:
        product = _ONEDNN.default(x, weight, bias, "none", [], "")  # type: ignore[union-attr]
        return product
    if bias is None:
        return _on_one_thread(torch.mm, x, weight.t())
    return _on_one_thread(torch.addmm, bias, x, weight.t())


def _loss_and_gradient(loss: Loss, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Return a loss, and its gradient with respect to the outputs, by autograd."""
    outputs = outputs.requires_grad_()
    value = loss(outputs, targets)
    (gradient,) = torch.autograd.grad(value, outputs)
    return value.detach(), gradient


@torch.no_grad()
def _cross_entropy(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean cross-entropy and its gradient, by the kernels that autograd calls."""
    logs = torch.log_softmax(logits, 1)
    told = logs, labels, None, 1, -100  # no weights; the mean; PyTorch's ignored label
    value, total = _aten.nll_loss_forward.default(*told)
    gradient = _aten.nll_loss_backward.default(torch.ones_like(value), *told, total)
    return value, _aten._log_softmax_backward_data.default(gradient, logs, 1, logs.dtype)


def _add(parameter: Tensor, gradient: Tensor) -> None:
    if parameter.grad is None:
        parameter.grad = gradient
    else:
        parameter.grad += gradient


def _is_free(parameter: Tensor | None) -> bool:
    """Return whether a parameter is trained and has no hooks; None stands for no bias."""
    if parameter is None:
        return True
    hooks = parameter._backward_hooks or parameter._post_accumulate_grad_hooks
    return parameter.requires_grad and not hooks
