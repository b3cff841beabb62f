"""The precision of a model's forward pass and loss: float32, or partly 16 bits by autocast.

`bf16-mixed` has its name from Lightning, whose `16-mixed` is `fp16-mixed` here. Weights, gradients
and the optimizer's states stay float32.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch
from torch import Tensor, nn

Precision = Literal["float32", "bf16-mixed", "fp16-mixed"]

_FORMATS = {"bf16-mixed": torch.bfloat16, "fp16-mixed": torch.float16}


def computing_in(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """Return the context of a forward pass and its loss on a device."""
    if precision == "float32":
        return nullcontext()
    return torch.autocast(device.type, _FORMATS[precision])


def outputs_of(model: nn.Module, images: Tensor) -> Tensor:
    """Return a model's outputs; of 16 bits, they are converted to float32.

    Args:
        model: takes `images`.
        images: float32 (B, C, H, W).
    """
    if model._compiled_call_impl is not None and images.is_cuda:
        # Outputs in the memory of CUDA graphs are valid until the next step.
        torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
        outputs: Tensor = model(images).clone()
    else:
        outputs = model(images)
    return outputs.float() if outputs.dtype in _FORMATS.values() else outputs
