"""The stack: models of one class with stacked weights, so that one kernel computes for all.

Shapes: L lanes, B batch, C channels, H and W pixels.

The method follows "Ensembling with torch.func" in PyTorch's documentation. In addition, the
parameters and buffers of the models become views into the stack. So code that steps, saves or tests
one of the models works as if the model were alone.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn import functional as F

from experiments.errors import shortened
from experiments.tasks import Task, has_labels_as_targets, is_plain_cross_entropy
from experiments.training.memory_layout import is_dense, like

DRAWS = "its model draws random numbers as it computes, and would draw others in a stack"
Layouts = Mapping[str, tuple[int, ...] | None]


class CannotStackError(Exception):
    """Models cannot be trained as a stack; the text gives the reason."""


class Stack:
    """Models that are trained together."""

    def __init__(self, models: Sequence[nn.Module], task: Task, layouts: Layouts) -> None:
        """Move the models' parameters and buffers into a stack.

        Args:
            models: of one class and with the same arguments.
            task: the task of all of them.
            layouts: how to lay each parameter out in memory, as `layouts_of` returns it.
        """
        self._models, self._task = models, task
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
        """Put the models into training mode, because an evaluation leaves them in another."""
        for model in self._models:
            model.train()

    def losses(self, images: Tensor, labels: Tensor) -> Tensor:
        """Return each lane's loss on its batch, (L).

        Args:
            images: float32 (L, B, C, H, W), or (B, C, H, W) for one batch that all lanes share.
            labels: (L, B, ...), or (B, ...) for a shared batch.

        Raises:
            CannotStackError: the model or the loss does something that is impossible for all lanes
                at once.
        """
        outputs = self._outputs(images)
        has_labels = has_labels_as_targets(self._task)
        if has_labels and is_plain_cross_entropy(self._task.loss) and outputs.dim() == 3:
            targets = labels.expand(outputs.shape[:2])
            smoothing = cast("nn.CrossEntropyLoss", self._task.loss).label_smoothing
            # With the batch as the last dimension the softmax computes for many examples at once.
            each = F.cross_entropy(outputs.mT, targets, reduction="none", label_smoothing=smoothing)
            return each.mean(1)
        task, shared = self._task, None if images.dim() == 4 else 0

        def lane(outputs: Tensor, images: Tensor, labels: Tensor) -> Tensor:
            return task.loss(outputs, task.targets(images, labels))

        losses = _for_all_lanes(lane, (0, shared, shared), outputs, images, labels)
        if losses.shape != (len(self),):
            raise CannotStackError("its loss is not one number per lane in a stack")
        return losses

    def gradients(self, losses: Tensor) -> list[Sequence[Tensor | None]]:
        """Return each lane's gradients, in the order and memory layout of its parameters.

        The losses are summed, and each depends on its own lane's weights alone, so a NaN stays in
        its lane.

        Args:
            losses: float32 (L), as `losses` returns them.
        """
        rows: list[Sequence[Tensor | None]] = []
        for name, gradient in self.stacked_gradients(losses).items():
            if gradient is None:
                rows.append([None] * len(self))
            else:
                rows.append(like(self._weights[name], gradient).unbind(0))
        return list(zip(*rows, strict=True))

    def stacked_gradients(self, losses: Tensor) -> dict[str, Tensor | None]:
        """Return the gradients (L, ...) of all lanes by parameter name; None without a gradient."""
        found: dict[str, Tensor | None] = dict.fromkeys(self._weights)
        trained = {name: w for name, w in self._weights.items() if w.requires_grad}
        of_trained = torch.autograd.grad(losses.sum(), list(trained.values()), allow_unused=True)
        return found | dict(zip(trained, of_trained, strict=True))

    def _outputs(self, images: Tensor) -> Tensor:
        """Return the outputs (L, B, ...) of all lanes.

        A model without buffers may compute them in its own `forward_stacked`, which takes the
        stacked weights by name and the images. Otherwise vmap computes them.
        """
        template = self._models[0]
        if not self._buffers and (own := _own_way(template)):
            return own(self._weights, images)

        def lane(weights: dict[str, Tensor], buffers: dict[str, Tensor], images: Tensor) -> Tensor:
            outputs: Tensor = functional_call(template, (weights, buffers), (images,))
            return outputs

        shared = None if images.dim() == 4 else 0
        return _for_all_lanes(lane, (0, 0, shared), self._weights, self._buffers, images)


def _for_all_lanes(
    lane: Callable[..., Tensor], dims: tuple[int | None, ...], *arguments: object
) -> Tensor:
    """Return a function's results for all lanes; `dims` are their dimension in the arguments."""
    try:
        results: Tensor = vmap(lane, in_dims=dims, randomness="error")(*arguments)
    except RuntimeError as error:
        raise CannotStackError(_in_words(error)) from error
    return results


def _own_way(model: nn.Module) -> Callable[[Mapping[str, Tensor], Tensor], Tensor] | None:
    """Return a model's `forward_stacked` if its class defines it together with `forward`."""
    (first, *_) = (cls for cls in type(model).__mro__ if "forward" in vars(cls))
    return getattr(model, "forward_stacked", None) if "forward_stacked" in vars(first) else None


def _in_words(error: RuntimeError) -> str:
    text = " ".join(str(error).split())
    if "random" in text:
        return DRAWS
    return f"its model or loss cannot be stacked: {shortened(text, 200)}"


def layouts_of(models: Sequence[nn.Module], task: Task, images: Tensor, labels: Tensor) -> Layouts:
    """Return the strides of each parameter's gradient in a stack, None if it is not dense.

    A stack with the same layout takes its gradients without a copy. vmap's gradients of a linear
    layer are transposed, and to transpose them back costs more than to compute them.

    Args:
        models: at least two models of the stack; they are not changed.
        task: their task.
        images: a batch, float32 (B, C, H, W).
        labels: its labels (B, ...).

    Raises:
        CannotStackError: the model does something that is impossible for all lanes at once.
    """
    stack = Stack(copy.deepcopy(models[:2]), task, {})
    stack.train()
    losses = stack.losses(*(each.expand(2, *each.shape) for each in (images, labels)))
    gradients = stack.stacked_gradients(losses)
    return {name: _lane_strides(gradient) for name, gradient in gradients.items()}


def _lane_strides(gradient: Tensor | None) -> tuple[int, ...] | None:
    if gradient is None:
        return None
    lane = gradient[0]
    return lane.stride() if is_dense(lane) else None


def _stacked(tensors: Sequence[Tensor], strides: tuple[int, ...] | None = None) -> Tensor:
    """Return the stack (L, ...) of L tensors, which become views into it."""
    first = tensors[0].detach()
    stack = first.new_empty_strided(
        (len(tensors), *first.shape),
        (first.numel(), *(strides or first.contiguous().stride())),
    )
    for lane, tensor in zip(stack.unbind(0), tensors, strict=True):
        lane.copy_(tensor.detach())
        tensor.data = lane
    return stack
