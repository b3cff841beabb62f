"""The data's checksum and the device of each job: facts that a plan needs."""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Sequence

from experiments.config import RunConfig
from experiments.data.datasets import shipped
from experiments.identity.canonical import canonical
from experiments.worker.client import worker

Facts = tuple[str, str]
"""the data's SHA-256 and the kind of device"""


def facts_of(configs: Sequence[RunConfig], *, here: bool) -> list[Facts | str]:
    """Return the facts about each run; the reason as a text if they are not available.

    Data sets that ship with the project and machines without an accelerator need no torch. For the
    rest the plan asks the worker, which trains the jobs afterwards.

    Args:
        configs: the runs.
        here: whether they train on this machine. Otherwise the configuration states the device,
            and a job records its identity once it knows its own device.
    """
    known: dict[str, Facts | str | None] = {}
    samples = {_about(config): config for config in configs}
    for key, config in samples.items():
        data_set = shipped(config.data.target)
        data_sha256 = data_set.checksum(config.data.root) if data_set else None
        device = _device(config.trainer.device) if here else config.trainer.device
        known[key] = (data_sha256, device) if data_sha256 and device else None
    asked = [key for key, found in known.items() if found is None]
    if asked:
        about = [samples[key] if here else on_the_cpu(samples[key]) for key in asked]
        (answer,) = worker().ask({"facts": about})
        for key, told in zip(asked, answer["facts"], strict=True):
            device = told.get("device") if here else samples[key].trainer.device
            known[key] = told.get("error") or (told["data_sha256"], device)
    return [known[_about(config)] or "" for config in configs]


def on_the_cpu(config: RunConfig) -> RunConfig:
    """Return the configuration of the same run on the CPU, which every machine has.

    It is not compiled, because a compiler is not on every machine.
    """
    trainer = config.trainer.model_copy(update={"device": "cpu", "compile": None})
    return config.model_copy(update={"trainer": trainer})


def _about(config: RunConfig) -> str:
    data = config.data.model_dump(exclude={"batch_size", "validation_size"})
    return canonical([data, config.trainer.device])


def _device(wanted: str) -> str | None:
    """Return the kind of a device; None if only torch knows it."""
    return "cpu" if wanted == "cpu" or (wanted == "auto" and not _has_accelerator()) else None


def _has_accelerator() -> bool:
    """Return whether torch may find an accelerator on this machine."""
    if platform.system() == "Darwin":
        return True
    if os.environ.get("CUDA_VISIBLE_DEVICES") == "":
        return False
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True
