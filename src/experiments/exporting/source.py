"""A finished run's model as the exports take it: bytes in, with the facts of its use."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from experiments.catalog.summary import Summary
from experiments.data.batches import normalise
from experiments.data.splits import Split
from experiments.delivery_process.model_folder import EXAMPLES
from experiments.errors import InputError, shortened, text_of
from experiments.inference.data import data_of
from experiments.inference.prepared import preparation
from experiments.inference.trained import Trained
from experiments.provenance.origin import version

Answer = Callable[[Tensor], Tensor]
"""a model: uint8 (B, C, H, W) -> float32 (B, ...)"""
INPUT = "images"
_LONGEST = 300  # characters of a reason
_DRAWABLE = (1, 3)  # channels that a picture can be turned into


class TakesBytes(nn.Module):
    """A run's model behind the normalisation of its images."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """Return the outputs of the model for images, uint8 (B, C, H, W)."""
        answer: Tensor = self.model(normalise(images))
        return answer


@dataclass(frozen=True)
class Source:
    """A finished run, the images of its test, and its answers to them."""

    trained: Trained
    identity: str
    images: Tensor
    """uint8 (N, C, H, W)"""
    targets: Tensor
    """those of the run's task for these images"""
    expected: Tensor
    """the outputs of the run's model, float32 (N, ...)"""
    training: Split

    @cached_property
    def model(self) -> TakesBytes:
        """The model, in evaluation mode."""
        return TakesBytes(self.trained.model).eval()

    @property
    def examples(self) -> Tensor:
        """A few images of the test, uint8 (B, C, H, W)."""
        return self.images[:EXAMPLES].clone()  # a view would take all images into the file

    @cached_property
    def program(self) -> ExportedProgram:
        """The model as a graph of torch.export, for batches of any size.

        Raises:
            InputError: torch.export cannot trace the model.
        """
        with untraceable("torch.export"), torch.no_grad():
            return torch.export.export(
                self.model, (self.examples,), dynamic_shapes={INPUT: {0: Dim.DYNAMIC}}
            )

    @property
    def output(self) -> str:
        """The name of the output."""
        return "logits" if self.trained.classifies else "outputs"

    @property
    def classes(self) -> list[str] | None:
        """The names of the classes; None if the run does not classify."""
        if not self.trained.classifies:
            return None
        return list(self.trained.names(self.expected.shape[1]))

    def accuracy(self, outputs: Tensor) -> float:
        """Return the share of the test images for which outputs (N, K) name the right class."""
        return float((outputs.argmax(1) == self.targets).double().mean())

    @cached_property
    def description(self) -> dict[str, Any]:
        """The facts of the model's use, as JSON data."""
        trained = self.trained
        drawable = trained.classifies and trained.shape[0] in _DRAWABLE
        way = asdict(preparation(trained)) | {"shape": list(trained.shape)} if drawable else None
        return {
            "run": trained.id,
            "name": trained.name,
            "identity": self.identity,
            "data": trained.data,
            "input": {
                "name": INPUT,
                "dtype": "uint8",
                "shape": [-1, *trained.shape],
                "description": "bytes as the data set has them, 0 to 255, not normalised: "
                "number, channels, height, width",
            },
            "output": {
                "name": self.output,
                "dtype": "float32",
                "shape": [-1, *self.expected.shape[1:]],
            },
            "classes": self.classes,
            "preparation": way,
            "torch": version("torch"),
        }


def source_of(run: Summary, trained: Trained) -> Source:
    """Return what the exports of a run need.

    Raises:
        InputError: the data of the run is not here, or the own code of the model or task fails.
    """
    data = data_of(trained)
    images = data.test.images.reshape(-1, *trained.shape)
    expected = trained.logits(images, "float32")  # as all formats compute
    targets = trained.targets(data.test.images, data.test.labels)
    return Source(trained, run.identity, images, targets, expected, data.train)


@contextlib.contextmanager
def untraceable(
    tool: str,
    work: str = "trace",
    remedy: str = "--format=safetensors exports its weights",
) -> Iterator[None]:
    """Turn an error of a tool that traces, checks or quantises a model into one line.

    Raises:
        InputError: the tool cannot do its work with the model.
    """
    try:
        yield
    except (OSError, InputError):  # of the disk, not of the model
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {' '.join(text_of(error).split())}"
        raise InputError(
            f"model: {tool} cannot {work} it ({shortened(reason, _LONGEST)}); {remedy}"
        ) from error
