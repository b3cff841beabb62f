"""Weights on disk: safetensors, which cannot run code, written whole or not at all."""

from __future__ import annotations

import hashlib
from pathlib import Path

from safetensors.torch import save
from torch import nn

from experiments.durable import write_atomically


def save_weights(model: nn.Module, path: Path) -> str:
    """Write a model's parameters and buffers; return the SHA-256 of the file.

    The same weights give the same bytes: safetensors orders the tensors and stores no time. Tensors
    that share memory are written each for itself, which loads the same.
    """
    content = save(
        {
            name: value.detach().cpu().clone().contiguous()
            for name, value in model.state_dict().items()
        }
    )
    write_atomically(path, content)
    return hashlib.sha256(content).hexdigest()
