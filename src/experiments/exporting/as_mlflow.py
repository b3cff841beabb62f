"""The format `mlflow`: a folder that MLflow loads and serves, without our code or pickle."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from experiments.delivery_process.model_folder import save_model
from experiments.exporting.source import Answer, Source, untraceable
from experiments.tracking.store import import_mlflow


def write(source: Source, folder: Path) -> None:
    """Write the model into an empty folder, with its description in the file MLmodel.

    Raises:
        InputError: torch.export cannot trace the model.
    """
    import_mlflow()
    with untraceable("torch.export"), _quiet():
        save_model(source.model, source.examples.numpy(), folder, metadata=source.description)


def load(folder: Path) -> Answer:
    """Return the model that a folder holds, loaded as `mlflow models serve` does."""
    import_mlflow()
    import mlflow.pyfunc

    model = mlflow.pyfunc.load_model(str(folder))

    def answer(images: Tensor) -> Tensor:
        return torch.from_numpy(model.predict(images.numpy()))

    return answer


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep MLflow from advice about pickle and about samples, which are settled here."""
    log = logging.getLogger("mlflow")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)
