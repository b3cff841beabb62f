"""A model as a folder in the form of MLflow: a graph of torch.export, without pickle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.provenance.origin import version

if TYPE_CHECKING:
    from mlflow.models import Model, ModelSignature
    from torch import nn


EXAMPLES = 2
"""so many images are enough, and of one, torch.export would take the batch size for fixed"""


def save_model(
    model: nn.Module,
    images: np.ndarray,
    path: Path,
    form: Model | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Save a model as MLflow does, to a new folder.

    Args:
        model: takes images (B, C, H, W).
        images: examples, (B, C, H, W) of the type that the model takes; at least `EXAMPLES`.
        path: the folder to be made.
        form: the description that is filled in; None for a new one.
        metadata: further facts for the description.

    Raises:
        Exception: any of torch.export, if it cannot trace the model.
    """
    import mlflow.pytorch
    import torch

    with torch.no_grad():
        mlflow.pytorch.save_model(
            model,
            str(path),
            mlflow_model=form,
            signature=signature_of(images, model(torch.from_numpy(images)).numpy()),
            input_example=images,
            pip_requirements=[f"{name}=={version(name)}" for name in ("torch", "numpy")],
            serialization_format="pt2",
            metadata=metadata and dict(metadata),
        )


def signature_of(images: np.ndarray, outputs: np.ndarray) -> ModelSignature:
    """Return the signature of a model of images and outputs, in batches of any size."""
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    given, answered = (
        Schema([TensorSpec(array.dtype, (-1, *array.shape[1:]))]) for array in (images, outputs)
    )
    return ModelSignature(inputs=given, outputs=answered)
