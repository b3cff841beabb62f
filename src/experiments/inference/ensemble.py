"""Models that answer together, by the mean of their probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from experiments.errors import InputError
from experiments.inference.trained import Trained, load_trained


def load_members(folders: Sequence[Path]) -> list[Trained]:
    """Return the models of the runs in folders, which were trained on the same data.

    Raises:
        InputError: a model cannot be loaded, or the runs have different data.
    """
    members = [load_trained(folder) for folder in folders]
    first = members[0]
    for other in members[1:]:
        if (other.data_sha256, other.shape) != (first.data_sha256, first.shape):
            raise InputError(
                f"{first.short} and {other.short} were trained on different data, {first.data} "
                f"and {other.data}; name a sweep over one data set"
            )
    return members


def probabilities(members: Sequence[Trained], images: Tensor) -> Tensor:
    """Return the mean of the members' probabilities, float32 (N, K), for bytes (N, C, H, W).

    The mean of probabilities is the combination of Lakshminarayanan et al., "Simple and scalable
    predictive uncertainty estimation using deep ensembles" (2017).

    Raises:
        InputError: a member is no classifier, or its code fails.
    """
    return torch.stack([member.probabilities(images) for member in members]).mean(0)
