"""Load this model with PyTorch and safetensors: `from load_weights import load, normalise`."""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import torch
from safetensors.torch import load_file
from torch import nn


def load(folder: Path = Path(__file__).parent) -> nn.Module:
    """Return the model of a folder in evaluation mode; it takes normalised images (N, C, H, W)."""
    told = json.loads((folder / "config.json").read_text())["model"]
    module = _module(told, folder)
    tensors = {name: torch.tensor(told["arguments"][name]).float() for name in told["tensors"]}
    model: nn.Module = getattr(module, told["name"])(**{**told["arguments"], **tensors})
    model.load_state_dict(load_file(folder / "weights.safetensors"))
    return model.eval()


def normalise(images: torch.Tensor) -> torch.Tensor:
    """Return images, float32 -1 to 1, for bytes 0 to 255."""
    return images.float() / 127.5 - 1


def _module(told: dict[str, str], folder: Path) -> ModuleType:
    if not told["file"]:
        return importlib.import_module(told["module"])
    spec = importlib.util.spec_from_file_location("exported_model", folder / told["file"])
    if spec is None or spec.loader is None:
        raise ImportError(f"{told['file']}: cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # before it runs: dataclasses look their module up there
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[spec.name]
        raise
    return module
