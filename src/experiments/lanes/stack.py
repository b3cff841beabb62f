"""The stack: the weights of models of one class, stacked so that one kernel computes for all.

Shapes: L lanes, B batch, C channels, H and W pixels, K classes.

After "Ensembling with torch.func" of PyTorch's documentation, but the models stay what they are:
their parameters and buffers become views into the stack, so whatever steps, saves or tests one of
them finds it as if it were alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn import functional as F

from experiments.updates import is_dense, like

Layouts = Mapping[str, tuple[int, ...] | None]


class CannotStackError(Exception):
    """Models that cannot be trained as a stack; the text says why."""


class Stack:
    """Models that are trained together."""

    def __init__(self, models: Sequence[nn.Module], layouts: Layouts) -> None:
        """Move the models' parameters and buffers into a stack.

        Args:
            models: of one class and with the same arguments.
            layouts: how to lay each parameter out in memory, as `layouts_of` returns it.
        """
        self._models = models
        parameters = [dict(model.named_parameters()) for model in models]
        buffers = [dict(model.named_buffers()) for model in models]
        self._weights = {
            name: _stacked([each[name] for each in parameters], layouts.get(name))
            for name in parameters[0]
        }
        self._buffers = {name: _stacked([each[name] for each in buffers]) for name in buffers[0]}
        for name, parameter in parameters[0].items():
            self._weights[name].requires_grad_(parameter.requires_grad)

    def __len__(self) -> int:
        return len(self._models)

    def train(self) -> None:
        """Put the models into training mode, from which evaluating takes them."""
        for model in self._models:
            model.train()

    def losses(self, images: Tensor, labels: Tensor) -> Tensor:
        """Return each lane's mean cross-entropy on its batch, (L).

        Args:
            images: float32 (L, B, C, H, W), or (B, C, H, W) for one batch that all lanes share.
            labels: int64 (L, B) or (B).

        Raises:
            CannotStackError: the model does what cannot be done for all lanes at once.
        """
        logits = forward(self._models[0], self._weights, self._buffers, images)
        targets = labels.expand(logits.shape[:2])
        # With the batch as the last dimension the softmax computes for many examples at once.
        return F.cross_entropy(logits.mT, targets, reduction="none").mean(1)

    def gradients(self, losses: Tensor) -> list[Sequence[Tensor | None]]:
        """Return each lane's gradients of its loss by its parameters, in the order of `memory`.

        The losses are summed, and each depends on its own lane's weights alone: what is NaN in one
        lane stays there.
        """
        trained = [weight for weight in self._weights.values() if weight.requires_grad]
        found = iter(torch.autograd.grad(losses.sum(), trained, allow_unused=True))
        rows: list[Sequence[Tensor | None]] = []
        for weight in self._weights.values():
            gradient = next(found) if weight.requires_grad else None
            rows.append([None] * len(self) if gradient is None else _rows(like(weight, gradient)))
        return list(zip(*rows, strict=True))


def forward(
    template: nn.Module,
    weights: Mapping[str, Tensor],
    buffers: Mapping[str, Tensor],
    images: Tensor,
) -> Tensor:
    """Return the logits (L, B, K) of a model for stacks of its parameters and buffers.

    A model without buffers may have a faster way than vmap, its `forward_stacked`, which takes
    the stacked weights by name and the images.

    Raises:
        CannotStackError: the model does what cannot be done for all lanes at once.
    """

    def lane(weights: dict[str, Tensor], buffers: dict[str, Tensor], images: Tensor) -> Tensor:
        logits: Tensor = functional_call(template, (weights, buffers), (images,))
        return logits

    if not buffers and (own := _own_way(template)):
        return own(weights, images)
    shared = None if images.dim() == 4 else 0
    stacked = vmap(lane, in_dims=(0, 0, shared), randomness="error")
    try:
        logits: Tensor = stacked(dict(weights), dict(buffers), images)
    except RuntimeError as error:
        raise CannotStackError(_in_words(error)) from error
    return logits


def _own_way(model: nn.Module) -> Callable[[Mapping[str, Tensor], Tensor], Tensor] | None:
    """Return a model's `forward_stacked`, if it belongs to its `forward` and not to a parent's."""
    (first, *_) = (cls for cls in type(model).__mro__ if "forward" in vars(cls))
    return getattr(model, "forward_stacked", None) if "forward_stacked" in vars(first) else None


def _in_words(error: RuntimeError) -> str:
    text = " ".join(str(error).split())
    if "random" in text:
        return "its model draws random numbers as it computes, which in a stack are others"
    return f"its model cannot be stacked: {text[:200]}"


def layouts_of(models: Sequence[nn.Module], images: Tensor, labels: Tensor) -> Layouts:
    """Return the strides that each parameter's gradient has in a stack; None where it has none.

    A stack laid out likewise takes its gradients as they are: for a linear layer vmap's are
    transposed, and to turn them costs more than to compute them.

    Args:
        models: two models of the stack at least; they stay as they are.
        images: a batch, float32 (B, C, H, W).
        labels: int64 (B).

    Raises:
        CannotStackError: the model does what cannot be done for all lanes at once.
    """
    pair = models[:2]
    for model in pair:
        model.train()
    weights = {
        name: torch.stack([value.detach(), dict(pair[1].named_parameters())[name].detach()])
        for name, value in pair[0].named_parameters()
    }
    for name, value in pair[0].named_parameters():
        weights[name].requires_grad_(value.requires_grad)
    others = dict(pair[1].named_buffers())
    buffers = {n: torch.stack([b, others[n]]) for n, b in pair[0].named_buffers()}
    logits = forward(pair[0], weights, buffers, images.expand(2, *images.shape))
    loss = F.cross_entropy(logits.flatten(0, 1), labels.repeat(2))
    trained = {name: weight for name, weight in weights.items() if weight.requires_grad}
    gradients = torch.autograd.grad(loss, list(trained.values()), allow_unused=True)
    return {name: _lane_strides(found) for name, found in zip(trained, gradients, strict=True)}


def _lane_strides(gradient: Tensor | None) -> tuple[int, ...] | None:
    if gradient is None:
        return None
    lane = gradient[0]
    return lane.stride() if is_dense(lane) else None


def _stacked(tensors: Sequence[Tensor], strides: tuple[int, ...] | None = None) -> Tensor:
    """Return a stack of the tensors, which become views into it."""
    first = tensors[0].detach()
    stack = first.new_empty_strided(
        (len(tensors), *first.shape),
        (first.numel(), *(strides or first.contiguous().stride())),
    )
    for lane, tensor in zip(stack.unbind(0), tensors, strict=True):
        lane.copy_(tensor.detach())
        tensor.data = lane
    return stack


def _rows(stack: Tensor) -> Sequence[Tensor]:
    size = stack[0].numel()
    return stack.as_strided((len(stack), size), (size, 1)).unbind(0)
