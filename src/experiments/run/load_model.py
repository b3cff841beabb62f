"""Load the model of a finished run from its folder."""

from __future__ import annotations

import os
from pathlib import Path

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from safetensors.torch import load_file
from torch import nn

from experiments.composition.hydra_errors import in_one_line
from experiments.errors import InputError
from experiments.registry.integrity import WEIGHTS, check_weights
from experiments.target_classes import build, explained, resolve


def load_model(folder: Path) -> nn.Module:
    """Return a finished run's model on the CPU with its final weights, in evaluation mode.

    It takes normalised images, float32 (B, C, H, W), and returns logits, float32 (B, K).

    Args:
        folder: the run's folder, with `config.yaml` and the weights.

    Raises:
        InputError: a file is missing or damaged, or the class or an argument cannot be used.
    """
    weights = folder / WEIGHTS
    if not weights.exists():
        raise InputError(
            f"{os.path.relpath(weights)}: there is no such file; a run has weights once it is "
            "finished, and unless it diverged"
        )
    check_weights(folder)
    try:
        settings = OmegaConf.load(folder / "config.yaml").model
        arguments = OmegaConf.to_container(settings, resolve=True)
    except (OSError, OmegaConfBaseException) as error:
        raise InputError(f"{folder / 'config.yaml'}: {in_one_line(error)}") from error
    assert isinstance(arguments, dict)  # noqa: S101  (the configuration was checked)
    target = str(arguments.pop("_target_"))
    named = {str(key): value for key, value in arguments.items()}
    model = build("model", resolve("model", target, nn.Module), {}, named)
    with explained("model: to take the weights of its run", "bring back the class of the run"):
        model.load_state_dict(load_file(weights))
    return model.eval()
