"""Checks of a run that several processes train: its shards, its devices and its model."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from experiments.config import Trainer
from experiments.distributed.world import world
from experiments.errors import InputError


def check_processes(trainer: Trainer) -> None:
    """Check that the processes of this run can share its batches.

    Raises:
        InputError: their number does not divide the number of shards, or the loss is
            scaled.
    """
    size = world().size
    if trainer.precision == "fp16-mixed" and size > 1:
        raise InputError(
            "trainer.precision=fp16-mixed: scales the loss of one batch in one process; choose "
            "bf16-mixed or float32, or train in one process"
        )
    if trainer.strategy == "shards" and trainer.shards % size:
        more = -(-trainer.shards // size) * size
        raise InputError(
            f"trainer.shards={trainer.shards}: cannot be shared by {size} processes; set "
            f"trainer.shards={more} or another multiple of {size}, or trainer.strategy=ddp"
        )


def check_dense(trainer: Trainer, model: nn.Module) -> None:
    """Check that a model has no sparse gradients, if shards of them are summed.

    Raises:
        InputError: a layer has.
    """
    if trainer.shards == 1 and world().size == 1:
        return
    for name, module in model.named_modules():
        if getattr(module, "sparse", False) is True:
            raise InputError(
                f"model: the layer {name} has sparse gradients, which shards and processes cannot "
                "sum; set sparse=False in it, or train with trainer.shards=1 in one process"
            )


def device_of_process(wanted: str, there: Sequence[str]) -> str:
    """Return the device of this one of several processes.

    Args:
        wanted: the configured device.
        there: the devices of this machine.

    Raises:
        InputError: there is none for this process.
    """
    place = world()
    if wanted == "cpu" or (wanted == "auto" and "cuda:0" not in there):
        return "cpu"  # gloo exchanges no tensors of MPS
    if wanted not in {"auto", "cuda"}:
        raise InputError(
            f"trainer.device={wanted}: is one device for {place.size} processes; choose auto, cpu "
            "or cuda"
        )
    if (name := f"cuda:{place.local_rank}") not in there:
        raise InputError(
            f"trainer.device={wanted}: rank {place.rank} finds no {name} on this machine, only "
            f"{', '.join(there)}; start one process for each GPU, or choose cpu"
        )
    return name
