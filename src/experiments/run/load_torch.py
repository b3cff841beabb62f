"""The process that trains: how it loads torch, and what it asks of the C library and the processor.

What each of these brings is in docs/performance.md.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# Rounds that an idle OpenMP thread spins before it sleeps. libgomp's own 300,000 cost a run dearly
# once others want the cores, on an AMD EPYC minutes an epoch; see docs/decisions/0004. A round is a
# `pause`, which Intel has made longer since Skylake, and there to wake a thread costs more too.
_SPINS, _SPINS_ON_INTEL = 2_000, 10_000
_MMAP_THRESHOLD, _TRIM_THRESHOLD = (-3, 32 * 2**20), (-1, 2**30)  # mallopt(3), bytes


def load_torch() -> None:
    """Import torch and what trains, fast and with settings that training wants."""
    share_the_cores()
    _keep_freed_memory()
    with _without_garbage_collection():
        import torch

        import experiments.run.lifecycle  # noqa: F401
        from experiments.training.updates import without_compiler
    # A momentum that decays to nothing, of a unit that is dead, would slow the processor down.
    torch.set_flush_denormal(True)
    without_compiler()


def share_the_cores() -> None:
    """Let other processes have the cores that torch, once it is imported, leaves idle."""
    from experiments.provenance.origin import processor

    on_intel = "Intel" in processor()
    os.environ.setdefault("GOMP_SPINCOUNT", str(_SPINS_ON_INTEL if on_intel else _SPINS))


def _keep_freed_memory() -> None:
    """Have glibc keep the memory of a step's tensors for the next step.

    It would give larger blocks back to the system, which then zeroes each page anew.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # only glibc has it
    if mallopt is not None:
        for setting in (_MMAP_THRESHOLD, _TRIM_THRESHOLD):
            mallopt(*setting)


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Import modules without looking again and again for garbage among what they define."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if "triton" not in sys.modules:  # whose bindings complain of what is not collected
            gc.freeze()
        if was_enabled:
            gc.enable()
