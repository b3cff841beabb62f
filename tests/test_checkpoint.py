"""Weights on disk: the same weights, the same bytes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

from experiments.checkpoint import save_weights
from experiments.models import SimpleNet


def test_weights_come_back_and_the_hash_is_the_file_s(tmp_path: Path) -> None:
    model, path = SimpleNet(), tmp_path / "weights.safetensors"
    sha256 = save_weights(model.state_dict(), path)
    assert sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    loaded = SimpleNet()
    loaded.load_state_dict(load_file(path))
    for name, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value)
    assert save_weights(loaded.state_dict(), tmp_path / "again") == sha256


def test_tied_and_transposed_weights_can_be_saved(tmp_path: Path) -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(3, 3)
            self.second = nn.Linear(3, 3)
            self.second.weight = self.first.weight
            self.register_buffer("mask", torch.ones(2, 3).t())

    save_weights(Tied().state_dict(), tmp_path / "tied")
    assert set(load_file(tmp_path / "tied")) == {
        *("first.weight", "first.bias", "second.weight", "second.bias", "mask")
    }
