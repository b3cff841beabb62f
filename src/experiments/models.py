"""Models: images in, logits out. Shapes: B batch, C channels, H and W pixels, K classes.

"The article" is "Model definition and training in PyTorch", shared/article/article.txt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class SimpleNet(nn.Module):
    """The network of the article: linear layers with ReLU between them, 784-128-10 by default.

    The layers have the names of the article: fc1, fc2, …
    """

    def __init__(
        self, *, inputs: int = 784, hidden: Sequence[int] = (128,), classes: int = 10
    ) -> None:
        super().__init__()
        for number, (fan_in, fan_out) in enumerate(pairwise([inputs, *hidden, classes]), start=1):
            self.add_module(f"fc{number}", nn.Linear(fan_in, fan_out))

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, K) for images (B, 1, H, W), (B, H, W) or (B, H·W)."""
        x = x.flatten(1)
        *hidden, last = self.children()
        for layer in hidden:
            x = F.relu(layer(x))
        logits: Tensor = last(x)
        return logits

    @staticmethod
    def forward_stacked(weights: Mapping[str, Tensor], images: Tensor) -> Tensor:
        """Return the logits (L, B, K) of L networks from their stacked weights.

        The result is that of `torch.func.vmap` over `forward`, but the matrix products add the
        biases, which saves kernels.

        Args:
            weights: by name, in turn a weight (L, fan_out, fan_in) and a bias (L, fan_out).
            images: (L, B, 1, H, W), or (B, 1, H, W) for one batch that all networks share.
        """
        values = iter(weights.values())
        *hidden, last = zip(values, values, strict=True)
        x = images.flatten(-3)
        if x.dim() == 2:
            x = x.expand(len(last[0]), *x.shape)
        for weight, bias in hidden:
            x = F.relu(torch.baddbmm(bias.unsqueeze(1), x, weight.mT))
        weight, bias = last
        return torch.baddbmm(bias.unsqueeze(1), x, weight.mT)


class ConvNet(nn.Module):
    """Two 3x3 convolutions, each with ReLU and 2x2 max-pooling, then a linear classifier."""

    def __init__(
        self,
        *,
        in_channels: int = 1,
        image_size: int = 28,
        channels: Sequence[int] = (16, 32),
        classes: int = 10,
    ) -> None:
        super().__init__()
        first, second = channels
        self.conv1 = nn.Conv2d(in_channels, first, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(first, second, kernel_size=3, padding=1)
        self.fc = nn.Linear(second * (image_size // 4) ** 2, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, K) for images (B, C, H, W)."""
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        logits: Tensor = self.fc(x.flatten(1))
        return logits
