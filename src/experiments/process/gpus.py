"""The GPUs that this process sees, found without torch, and the way to see fewer."""

from __future__ import annotations

import itertools
import os
import re

from experiments.errors import InputError

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
        return tuple(map(str, range(_count() or 0)))
    names = map(str.strip, given.split(","))
    return tuple(itertools.takewhile(re.compile(r"\d+|(GPU|MIG)-.+").fullmatch, names))


def refuse_unseen() -> None:
    """Refuse names in CUDA_VISIBLE_DEVICES that CUDA does not know.

    Call this before the process changes the variable: the driver heeds its first value. Without a
    driver nobody can tell.

    Raises:
        InputError: CUDA sees fewer GPUs than are named.
    """
    names, seen = visible_gpus(), _count()
    if seen is not None and seen < len(names):
        raise InputError(
            f"{VISIBLE}={os.environ[VISIBLE]}: names {len(names)} GPUs, and CUDA sees {seen} of "
            "them; name those that this machine has, or unset it"
        )


def torch_uses_gpus() -> bool:
    """Return whether the installed torch is built for CUDA or ROCm, without an import of it."""
    import runpy
    from importlib.util import find_spec
    from pathlib import Path

    torch = find_spec("torch")
    if torch is None or torch.origin is None:
        return False
    told = runpy.run_path(str(Path(torch.origin).with_name("version.py")))
    return any(told.get(name) for name in ("cuda", "hip"))


def _count() -> int | None:
    """Return the number of GPUs that the driver of CUDA reports; None without a driver."""
    import ctypes

    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return None
    count = ctypes.c_int()
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value
