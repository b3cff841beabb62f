"""Attributions by Captum: the share of each pixel in the logit of an answer.

Integrated gradients: Sundararajan, Taly and Yan, "Axiomatic attribution for deep networks" (2017).
Saliency: Simonyan, Vedaldi and Zisserman, "Deep inside convolutional networks" (2013). Occlusion:
Zeiler and Fergus, "Visualizing and understanding convolutional networks" (2013).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

import torch
from torch import Tensor

from experiments.data.batches import normalise
from experiments.errors import InputError
from experiments.inference.trained import Trained
from experiments.randomness import derive, seed_all
from experiments.target_classes import explained

BASELINE = "black"
"""the name of the image without content, with which images are compared"""
TOLERANCE = 0.01
"""so much may the completeness of integrated gradients be missed, relative to what it should be"""
_FIRST_STEPS, _LAST_STEPS = 32, 1024  # of the path from the baseline to an image
_AT_ONCE = 4096 * 28 * 28  # pixels in a batch
_HIDDEN = 16  # squares of the occlusion in a batch, for each image
_ROUNDING = 1e-5  # of the largest logit; a sum is not more exact
_WINDOW = 7  # the occluding square has this share of the shorter side


@dataclass(frozen=True)
class Attributions:
    """The attributions of one answer, each float32 (H, W), summed over the channels."""

    integrated_gradients: Tensor
    """the parts of the difference of the logit from that of the baseline"""
    saliency: Tensor
    """the largest absolute gradient among the channels"""
    occlusion: Tensor
    """the mean fall of the logit when a black square hides the pixel"""
    steps: int
    """of the path of the integrated gradients"""
    difference: float
    """the logit minus that of the baseline"""
    error: float
    """|sum of the integrated gradients - difference| / |difference|; 0 if it is but rounding"""

    @property
    def is_complete(self) -> bool:
        """Whether the integrated gradients sum up to the difference, within `TOLERANCE`."""
        return self.error <= TOLERANCE


def check_installed() -> None:
    """Check that Captum is installed.

    Raises:
        InputError: it is not.
    """
    if find_spec("captum") is None:
        raise InputError(
            "experiments explain: Captum is not installed; "
            "pip install -c constraints.txt -e '.[explain]'"
        )


def attributions_of(trained: Trained, images: Tensor, classes: Tensor) -> list[Attributions]:
    """Return the attributions of the logits of classes.

    The steps of the integrated gradients are doubled for the images whose completeness is not
    reached, up to a limit.

    Args:
        trained: a classifier.
        images: bytes (N, C, H, W) or (N, H, W), at least one.
        classes: int64 (N).

    Raises:
        InputError: Captum is not installed, or the model's code fails or has no gradient.
    """
    check_installed()
    seed_all(derive(trained.seed, "test"))
    at_once = max(1, _AT_ONCE // images[0].numel())
    size = max(1, at_once // _HIDDEN)
    parts = zip(torch.split(images, size), torch.split(classes, size), strict=True)
    with explained("model: to attribute its answers", "bring back the code of the run"):
        return [each for part in parts for each in _of_part(trained, *part, at_once)]


def _of_part(trained: Trained, images: Tensor, classes: Tensor, at_once: int) -> list[Attributions]:
    from captum.attr import Occlusion, Saliency

    inputs = normalise(images)
    baseline = normalise(torch.zeros_like(images[:1]))
    with torch.no_grad():
        start, end = trained.model(baseline), trained.model(inputs)
    differences = end.gather(1, classes.unsqueeze(1)).squeeze(1) - start[0, classes]
    rounding = _ROUNDING * torch.maximum(end.abs().amax(1), start.abs().amax())
    gradients, errors, steps = _integrated(
        trained, inputs, baseline, classes, differences, rounding, at_once
    )
    saliency = Saliency(trained.model).attribute(inputs.clone().requires_grad_(), target=classes)
    side = max(1, min(inputs.shape[-2:]) // _WINDOW)
    channels = inputs.shape[1]
    occlusion = Occlusion(trained.model).attribute(
        inputs,
        sliding_window_shapes=(channels, side, side),
        strides=(channels, max(1, side // 2), max(1, side // 2)),
        baselines=float(baseline.flatten()[0]),
        target=classes,
        perturbations_per_eval=min(_HIDDEN, at_once),
    )
    return [
        Attributions(*parts)
        for parts in zip(
            gradients.sum(1),
            saliency.detach().amax(1),
            occlusion.detach().sum(1) / channels,
            steps,
            differences.tolist(),
            errors.tolist(),
            strict=True,
        )
    ]


def _integrated(
    trained: Trained,
    inputs: Tensor,
    baseline: Tensor,
    classes: Tensor,
    differences: Tensor,
    rounding: Tensor,
    at_once: int,
) -> tuple[Tensor, Tensor, Sequence[int]]:
    """Return integrated gradients (N, C, H, W), their errors (N) and their steps."""
    from captum.attr import IntegratedGradients

    method = IntegratedGradients(trained.model)
    found, errors = torch.empty_like(inputs), torch.full((len(inputs),), torch.inf)
    taken = torch.zeros(len(inputs), dtype=torch.int64)
    steps = _FIRST_STEPS
    while steps <= _LAST_STEPS and (errors > TOLERANCE).any():
        (left,) = (errors > TOLERANCE).nonzero(as_tuple=True)
        found[left] = method.attribute(
            inputs[left],
            baselines=baseline,
            target=classes[left],
            n_steps=steps,
            method="riemann_middle",
            internal_batch_size=at_once,
        ).detach()
        sums = found[left].double().flatten(1).sum(1)
        missed = (sums - differences[left]).abs().float()
        error = missed / differences[left].abs()
        errors[left] = torch.where(missed <= rounding[left], 0.0, error)
        taken[left] = steps
        steps *= 2
    return found, errors, taken.tolist()
