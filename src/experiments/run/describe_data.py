"""The description of a run's data for MLflow: name, digest, source, schema and profile."""

from __future__ import annotations

import json

from experiments.config import RunConfig
from experiments.data.splits import Splits
from experiments.journal import History


def described(splits: Splits, config: RunConfig) -> dict[str, str]:
    """Return the description of a run's data, in the form of an MLflow dataset.

    The schema is that of tensors, as `mlflow.data.schema.TensorDatasetSchema` writes it: images
    uint8 (N, C, H, W) or (N, H, W), and labels int64 (N) or
    float32 (N) or (N, D). The profile counts the images.
    """
    images, labels = splits.train.images, splits.train.labels
    validation = len(splits.validation) if splits.validation is not None else 0
    counts = {
        "training_images": len(splits.train),
        "validation_images": validation,
        "test_images": len(splits.test),
    }
    if not labels.is_floating_point():
        counts["classes"] = int(max(labels.max(), splits.test.labels.max())) + 1
    schema = {
        "features": _tensors(str(images.dtype), tuple(images.shape[1:])),
        "targets": _tensors(str(labels.dtype), tuple(labels.shape[1:])),
    }
    return {
        "name": config.data.target.rpartition(".")[2],
        "digest": splits.sha256[:32],
        "source": config.public()["data"]["root"],
        "schema": json.dumps({"mlflow_tensorspec": schema}),
        "profile": json.dumps(counts),
    }


def image_shape(past: History) -> tuple[int, int, int]:
    """Return channels, height and width of a run's images, as its journal describes them."""
    schema = json.loads(past.start["dataset"]["schema"])["mlflow_tensorspec"]
    (_, *shape) = json.loads(schema["features"])[0]["tensor-spec"]["shape"]
    channels, height, width = shape if len(shape) == 3 else (1, *shape)
    return channels, height, width


def _tensors(dtype: str, shape: tuple[int, ...]) -> str:
    spec = {"dtype": dtype.removeprefix("torch."), "shape": [-1, *shape]}
    return json.dumps([{"type": "tensor", "tensor-spec": spec}])
