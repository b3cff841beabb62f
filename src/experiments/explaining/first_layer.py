"""The weights of a model's first layer, as images."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from experiments.data.batches import normalise
from experiments.inference.trained import Trained
from experiments.target_classes import explained

_MOST = 64  # units


@dataclass(frozen=True)
class FirstLayer:
    """The weights of the first units of a layer."""

    name: str
    kind: str
    """such as `Linear`"""
    weights: Tensor
    """float32 (units, h, w), averaged over the input channels"""
    units: int
    """of the whole layer"""
    channels: int


def first_layer(trained: Trained, image: Tensor) -> FirstLayer | None:
    """Return the linear or 2-d convolutional layer that a model calls first on its images.

    It is None if the model has no such layer, or if the layer sees something else than the image.

    Args:
        trained: the run.
        image: bytes (1, C, H, W) or (1, H, W).

    Raises:
        InputError: the model's code fails.
    """
    called: list[nn.Linear | nn.Conv2d] = []

    def note(layer: nn.Module, _arguments: tuple[Tensor, ...]) -> None:
        assert isinstance(layer, nn.Linear | nn.Conv2d)  # noqa: S101  (the others have no hook)
        called.append(layer)

    names = {
        layer: name
        for name, layer in trained.model.named_modules()
        if isinstance(layer, nn.Linear | nn.Conv2d)
    }
    hooks = [layer.register_forward_pre_hook(note) for layer in names]
    try:
        with (
            explained("model: to answer an image", "bring back the code of the run"),
            torch.no_grad(),
        ):
            trained.model(normalise(image))
    finally:
        for hook in hooks:
            hook.remove()
    if not called:
        return None
    layer = called[0]
    weights, (channels, height, width) = layer.weight.detach(), trained.shape
    if isinstance(layer, nn.Linear):
        if layer.in_features != channels * height * width:
            return None
        weights = weights.view(-1, channels, height, width)
    elif weights.shape[1] != channels:
        return None
    shown = weights[:_MOST].mean(1)
    return FirstLayer(names[layer], type(layer).__name__, shown, len(weights), channels)
