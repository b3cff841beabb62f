"""The GPUs that this process sees, found without torch, and the way to see fewer."""

from __future__ import annotations

import os

VISIBLE = "CUDA_VISIBLE_DEVICES"
"""the variable by which CUDA hides GPUs; the first that it names is cuda:0"""


def visible_gpus() -> tuple[str, ...]:
    """Return the names by which CUDA_VISIBLE_DEVICES knows the GPUs of this process, in order.

    Without the variable these are the numbers of all GPUs of the machine.
    """
    given = os.environ.get(VISIBLE)
    if given is None:
        return tuple(map(str, range(_count())))
    names: list[str] = []
    for name in map(str.strip, given.split(",")):
        if name in {"", "-1"}:  # CUDA ignores what follows
            break
        names.append(name)
    return tuple(names)


def _count() -> int:
    """Return the number of GPUs that the driver of CUDA reports; 0 without a driver."""
    import ctypes

    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int()
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value
