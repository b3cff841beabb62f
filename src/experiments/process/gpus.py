"""The GPUs that this process sees, found without torch, and the way to see fewer."""

from __future__ import annotations

import itertools
import os
import re

VISIBLE = "CUDA_VISIBLE_DEVICES"
"""the variable by which CUDA hides GPUs; the first that it names is cuda:0"""


def visible_gpus() -> tuple[str, ...]:
    """Return the names by which CUDA_VISIBLE_DEVICES knows the GPUs of this process, in order.

    Without the variable these are the numbers of all GPUs of the machine. CUDA ignores the first
    name of no GPU and all that follow. A number is taken at its word: the driver cannot be asked
    about other values of the variable than that at its start.
    """
    given = os.environ.get(VISIBLE)
    if given is None:
        return tuple(map(str, range(_count())))
    names = map(str.strip, given.split(","))
    return tuple(itertools.takewhile(re.compile(r"\d+|(GPU|MIG)-.+").fullmatch, names))


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
