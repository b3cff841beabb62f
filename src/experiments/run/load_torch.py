"""Import of torch with the settings of threads, memory and processor that training wants.

docs/performance.md states the gain of each setting.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# The rounds that an idle OpenMP thread spins before it sleeps. libgomp's default of 300,000 slows
# a run beside other processes, on an AMD EPYC by minutes an epoch; see docs/decisions/0004. A round
# is one `pause`, which takes longer on Intel since Skylake; waking a thread costs more there too.
_SPINS, _SPINS_ON_INTEL = 4_000, 10_000
_MMAP_THRESHOLD, _TRIM_THRESHOLD = (-3, 32 * 2**20), (-1, 2**30)  # mallopt(3), bytes


def load_torch() -> None:
    """Import torch and the training modules fast, and apply the settings of this module."""
    share_the_cores()
    _keep_freed_memory()
    with _without_garbage_collection():
        import torch

        import experiments.run.lifecycle  # noqa: F401
        from experiments.training.updates import without_compiler
    # The momentum of a dead unit decays to denormal numbers, which slow the processor down.
    torch.set_flush_denormal(True)
    without_compiler()


def share_the_cores() -> None:
    """Leave idle cores to other processes; call this before torch is imported."""
    from experiments.provenance.origin import processor

    on_intel = "Intel" in processor()
    os.environ.setdefault("GOMP_SPINCOUNT", str(_SPINS_ON_INTEL if on_intel else _SPINS))


def _keep_freed_memory() -> None:
    """Let glibc keep the memory of a step's tensors for the next step.

    By default it returns large blocks to the system, which then zeroes each page again.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # only glibc has it
    if mallopt is not None:
        for setting in (_MMAP_THRESHOLD, _TRIM_THRESHOLD):
            mallopt(*setting)


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Turn garbage collection off during imports, which define many objects and free none."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if "triton" not in sys.modules:  # its bindings complain of uncollected objects
            gc.freeze()
        if was_enabled:
            gc.enable()
