"""Load the model of a finished run from its folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from safetensors.torch import load_file
from torch import Tensor, nn

from experiments.composition.hydra_errors import in_one_line
from experiments.config.from_data import with_values
from experiments.errors import InputError
from experiments.registry.integrity import WEIGHTS, check_weights
from experiments.target_classes import build_model, explained, resolve_model


def load_model(folder: Path) -> nn.Module:
    """Return a finished run's model on the CPU with its final weights, in evaluation mode.

    It takes normalised images, float32 (B, C, H, W), and returns the outputs of the run's task. A
    model of torchvision with `weights` needs their file once more, before it gets its own weights.

    Args:
        folder: the run's folder, with `config.yaml` and the weights.

    Raises:
        InputError: a file is missing or damaged, or the class or an argument cannot be used.
    """
    weights = load_weights(folder)
    arguments = dict(load_settings(folder)["model"])
    target = str(arguments.pop("_target_"))
    named = with_values({str(key): value for key, value in arguments.items()})
    model = build_model("model", resolve_model("model", target), {}, named)
    with explained("model: to take the weights of its run", "bring back the class of the run"):
        model.load_state_dict(weights)
    return model.eval()


def load_settings(folder: Path) -> Mapping[str, Any]:
    """Return the resolved configuration of the run in a folder.

    Raises:
        InputError: the file is missing or damaged.
    """
    try:
        settings = OmegaConf.to_container(OmegaConf.load(folder / "config.yaml"), resolve=True)
    except (OSError, OmegaConfBaseException) as error:
        raise InputError(f"{folder / 'config.yaml'}: {in_one_line(error)}") from error
    assert isinstance(settings, dict)  # noqa: S101  (the configuration was checked)
    return {str(key): value for key, value in settings.items()}


def load_weights(folder: Path) -> dict[str, Tensor]:
    """Return the final weights of a finished run on the CPU, by the names of its model's tensors.

    Raises:
        InputError: the file is missing or damaged.
    """
    weights = folder / WEIGHTS
    if not weights.exists():
        raise InputError(
            f"{os.path.relpath(weights)}: there is no such file; a run has weights once it is "
            "finished, and unless it diverged"
        )
    check_weights(folder)
    return load_file(weights)
