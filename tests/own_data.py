"""A user's data sets: coloured images, wide ones, and numbers to predict."""

from __future__ import annotations

import torch
from torch.utils.data import Dataset


class Coloured(Dataset):
    """Images of 3 x 32 x 32 in 7 classes, 70 for training and 14 for the test."""

    SHAPE = (3, 32, 32)

    def __init__(self, *, root: str, train: bool) -> None:
        count = 70 if train else 14
        self.targets = torch.arange(count) % 7
        noise = torch.randint(0, 100, (count, *self.SHAPE), dtype=torch.uint8)
        self.data = noise + 20 * self.targets.to(torch.uint8).view(-1, 1, 1, 1)


class Wide(Coloured):
    """Images that are not square."""

    SHAPE = (1, 28, 20)


class Numbers(Coloured):
    """Two numbers to predict for each image."""

    def __init__(self, *, root: str, train: bool) -> None:
        super().__init__(root=root, train=train)
        self.targets = torch.stack([self.targets / 7, 1 - self.targets / 7], 1)
