"""The format `torch_export`: a graph of torch.export, which PyTorch loads without our code."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import Tensor

from experiments.exporting.source import Answer, Source

_NAME = "model.pt2"
_METADATA = "metadata.json"


def write(source: Source, folder: Path) -> None:
    """Write the model into a folder, with its description inside the file.

    Raises:
        InputError: torch.export cannot trace the model.
    """
    described = {_METADATA: json.dumps(source.description)}
    torch.export.save(source.program, folder / _NAME, extra_files=described)


def load(folder: Path) -> Answer:
    """Return the model that a folder holds."""
    model = torch.export.load(folder / _NAME).module()

    def answer(images: Tensor) -> Tensor:
        with torch.no_grad():
            outputs: Tensor = model(images)
        return outputs

    return answer
