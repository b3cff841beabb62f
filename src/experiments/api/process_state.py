"""The settings of torch and the random numbers: a run gets those of a new process.

So it has the same bits as one of the command line, and leaves the caller's as they were.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from experiments.run.load_torch import load_torch


@contextmanager
def like_a_new_process() -> Iterator[None]:
    """Load torch, and have its settings as in a new process until the end of the `with`."""
    flushed = "torch" in sys.modules and _flushes_denormals()
    frozen = gc.get_freeze_count()
    load_torch()
    import torch

    from experiments.randomness import random_state, set_random_state
    from experiments.run.compiling import restore_settings

    is_on_gpu = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    device = torch.device("cuda" if is_on_gpu else "cpu")
    numbers, threads = random_state(device), torch.get_num_threads()
    deterministic = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        torch.utils.deterministic.fill_uninitialized_memory,  # type: ignore[attr-defined]
    )
    with _defaults(), torch.inference_mode(mode=False), torch.enable_grad():
        try:
            yield
        finally:
            is_enabled, warns, fills = deterministic
            if is_enabled != torch.are_deterministic_algorithms_enabled() or warns:
                torch.use_deterministic_algorithms(is_enabled, warn_only=warns)
            torch.utils.deterministic.fill_uninitialized_memory = fills  # type: ignore[attr-defined]
            restore_settings()
            torch.set_num_threads(threads)
            torch.set_flush_denormal(flushed)
            set_random_state(device, numbers)
            if not frozen:  # else the caller's objects would stay in memory for ever
                gc.unfreeze()


@contextmanager
def _defaults() -> Iterator[None]:
    """Set the defaults of torch that change a result without being part of its identity."""
    import torch

    dtype, device = torch.get_default_dtype(), torch.get_default_device()
    precision, tuned = _Precision(), torch.backends.cudnn.benchmark
    torch.set_default_dtype(torch.float32)
    if device.type != "cpu":  # a default device, even the CPU, costs time at every call of torch
        torch.set_default_device(None)
    precision.reset()
    torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.set_default_dtype(dtype)
        if device.type != "cpu":
            torch.set_default_device(device)
        torch.backends.cudnn.benchmark = tuned
        precision.restore()


class _Precision:
    """The precision of products of float32 numbers, by torch's older settings and its newer ones.

    torch has a newer setting for each backend and kind of operation, and one above them for each
    backend and for all. It refuses to read an older setting that the newer ones contradict.
    """

    def __init__(self) -> None:
        """Read the settings as they are now."""
        import torch

        backends: Any = torch.backends
        mkldnn, cudnn = backends.mkldnn, backends.cudnn
        self._owners = [backends, mkldnn, mkldnn.matmul, mkldnn.conv, mkldnn.rnn]
        self._owners += [cudnn, cudnn.conv, cudnn.rnn, backends.cuda.matmul]
        self._newer = [each.fp32_precision for each in self._owners]
        self._older: dict[str, Any] = {}
        for name, read in _OLDER.items():
            with suppress(RuntimeError):  # newer settings contradict it
                self._older[name] = read(torch)

    def reset(self) -> None:
        """Set all as in a new process."""
        import torch

        for owner in self._owners:
            owner.fp32_precision = "none"
        torch.set_float32_matmul_precision("highest")
        torch.backends.cudnn.allow_tf32 = True

    def restore(self) -> None:
        """Set all as they were read."""
        import torch

        if "products" in self._older:
            torch.set_float32_matmul_precision(self._older["products"])
        if "convolutions" in self._older:
            torch.backends.cudnn.allow_tf32 = self._older["convolutions"]
        for owner, value in zip(self._owners, self._newer, strict=True):
            owner.fp32_precision = value


_OLDER: Mapping[str, Callable[[Any], Any]] = {
    "products": lambda torch: torch.get_float32_matmul_precision(),
    "convolutions": lambda torch: torch.backends.cudnn.allow_tf32,
}


def _flushes_denormals() -> bool:
    import torch

    return bool(torch.full((1,), 1e-39, dtype=torch.float32, device="cpu").mul(1).item() == 0)
