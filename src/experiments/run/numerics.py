"""The precision in which torch computes on a run's device."""

from __future__ import annotations

import torch

from experiments.config import Trainer
from experiments.errors import InputError


def set_precision(trainer: Trainer, device: torch.device) -> None:
    """Set the precision of torch's float32 products, and check that of the forward pass.

    By default torch computes convolutions on a GPU in TF32. Here they follow the matrix products.
    On a CPU `high` allows TF32 and `medium` bfloat16 in oneDNN's matrix products.

    Raises:
        InputError: the device cannot compute in the precision of `trainer`.
    """
    if trainer.precision == "fp16-mixed" and device.type == "mps":
        raise InputError(
            "trainer.precision=fp16-mixed: the scaling of the loss is for cpu and cuda, and the "
            "device is mps; choose bf16-mixed or float32"
        )
    if trainer.precision == "bf16-mixed" and device.type == "cuda" and not _has_bfloat16(device):
        raise InputError(
            f"trainer.precision=bf16-mixed: {torch.cuda.get_device_name(device)} has no bfloat16; "
            "choose fp16-mixed or float32"
        )
    torch.set_float32_matmul_precision(trainer.matmul_precision)
    torch.backends.cudnn.allow_tf32 = trainer.matmul_precision != "highest"


def _has_bfloat16(device: torch.device) -> bool:
    with torch.cuda.device(device):  # torch answers for the current GPU
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
